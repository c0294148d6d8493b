// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/dedup.hpp"

#include "rdm/driver.hpp"
#include "rdm/receive_side.hpp"

#include <algorithm>
#include <cstring>

namespace rill::rdm {
namespace {

uint64_t both(uint64_t low, uint64_t high) {
    return low | high << 32;
}

// The first number that is free; 0: none is.
template <class Map>
uint64_t free_number(const Map& map) {
    for (uint64_t n = 1; n <= nic::kDedupNumberMax; ++n)
        if (!map.contains(n)) return n;
    return 0;
}

} // namespace

bool Dedup::is_there() const {
    return driver_.features() & nic::kFeatureDedup;
}

// ---- stores and rings -------------------------------------------------------------------------

Status Dedup::tell_store(uint64_t number, const DedupStoreDescription& d) {
    std::vector<uint64_t> key((d.key.size() + 7) / 8);
    if (!key.empty()) std::memcpy(key.data(), d.key.data(), d.key.size());
    const uint64_t at = key.empty() ? 0 : driver_.map(std::as_writable_bytes(std::span(key)));
    const uint64_t kinds = static_cast<uint64_t>(d.chunker) | static_cast<uint64_t>(d.digest) << 8 |
                           uint64_t{d.verify} << 16;
    nic::AdminAnswer a;
    const nic::AdminStatus s = driver_.ask(nic::AdminOp::create_dedup_store,
                                           {number, kinds, both(d.limits.min, d.limits.max),
                                            both(d.limits.avg, d.capacity), at, d.key.size()},
                                           a);
    if (at) driver_.unmap(at);
    return status_of(s);
}

Status Dedup::open_store(const DedupStoreDescription& d, uint64_t& number) {
    const uint64_t n = free_number(stores_);
    if (n == 0) return Status::no_memory;
    if (Status s = tell_store(n, d); !is_ok(s)) return s;
    stores_.emplace(n, d);
    number = n;
    return Status::ok;
}

void Dedup::close_store(uint64_t number) {
    nic::AdminAnswer a;
    stores_.erase(number);
    (void)driver_.ask(nic::AdminOp::destroy_dedup_store, {number}, a);
}

Status Dedup::tell_ring(uint64_t number, Ring& ring) {
    ring.at = driver_.map(ring.memory->bytes());
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        driver_.ask(nic::AdminOp::create_dedup_ring, {number, ring.at, ring.memory->capacity()}, a);
    if (s != nic::AdminStatus::ok) driver_.unmap(ring.at);
    return status_of(s);
}

Status Dedup::open_ring(uint32_t capacity, uint64_t& number) {
    const uint64_t n = free_number(rings_);
    if (n == 0) return Status::no_memory;
    Ring ring{std::make_unique<dedup::RecordMemory>(capacity)};
    if (Status s = tell_ring(n, ring); !is_ok(s)) return s;
    rings_.emplace(n, std::move(ring));
    number = n;
    return Status::ok;
}

void Dedup::close_ring(uint64_t number) {
    const auto node = rings_.extract(number);
    nic::AdminAnswer a;
    (void)driver_.ask(nic::AdminOp::destroy_dedup_ring, {number}, a);
    driver_.unmap(node.mapped().at);
}

// ---- what is attached -------------------------------------------------------------------------

Status Dedup::tell_attachment(const Attachment& t) {
    const auto target = t.side ? nic::DedupTarget::queue_pair : nic::DedupTarget::region;
    nic::AdminAnswer a;
    return status_of(
        driver_.ask(nic::AdminOp::attach_dedup,
                    {static_cast<uint64_t>(target), t.side ? t.side->queue_pair() : t.key,
                     both(t.store, t.ring), t.scope},
                    a));
}

Status Dedup::attach(const Attachment& a) {
    if (Status s = tell_attachment(a); !is_ok(s)) return s;
    attachments_.push_back(a);
    return Status::ok;
}

Status Dedup::attach(ReceiveSide& side, uint64_t store, uint64_t ring, uint32_t scope) {
    return attach({.side = &side, .store = store, .ring = ring, .scope = scope});
}

Status Dedup::attach(uint64_t key, uint64_t store, uint64_t ring, uint32_t scope) {
    return attach({.key = key, .store = store, .ring = ring, .scope = scope});
}

void Dedup::detach(nic::DedupTarget target, uint64_t id) {
    nic::AdminAnswer a;
    (void)driver_.ask(nic::AdminOp::detach_dedup, {static_cast<uint64_t>(target), id}, a);
}

void Dedup::detach(ReceiveSide& side) {
    std::erase_if(attachments_, [&](const Attachment& a) { return a.side == &side; });
    detach(nic::DedupTarget::queue_pair, side.queue_pair());
}

void Dedup::detach(uint64_t key) {
    std::erase_if(attachments_, [&](const Attachment& a) { return !a.side && a.key == key; });
    detach(nic::DedupTarget::region, key);
}

Status Dedup::make_again() {
    for (const auto& [number, description] : stores_)
        if (Status s = tell_store(number, description); !is_ok(s)) return s;
    for (auto& [number, ring] : rings_) {
        ring.memory->clear();
        if (Status s = tell_ring(number, ring); !is_ok(s)) return s;
    }
    for (const Attachment& a : attachments_)
        if (Status s = tell_attachment(a); !is_ok(s)) return s;
    return Status::ok;
}

// ---- questions --------------------------------------------------------------------------------

Status Dedup::submit(uint64_t store, uint64_t ring, uint32_t scope, uint32_t stream,
                     std::span<const std::byte> data) {
    nic::AdminAnswer a;
    return status_of(driver_.ask(nic::AdminOp::submit_dedup,
                                 {both(store, ring), both(scope, stream),
                                  reinterpret_cast<uintptr_t>(data.data()), data.size()},
                                 a));
}

Status Dedup::look_up(uint64_t store, std::span<nic::DedupQuery> queries) {
    while (!queries.empty()) {
        const auto some = queries.first(std::min<size_t>(queries.size(), nic::kDedupQueriesMax));
        const uint64_t at = driver_.map(std::as_writable_bytes(some));
        nic::AdminAnswer a;
        const nic::AdminStatus s =
            driver_.ask(nic::AdminOp::look_up_dedup, {store, at, some.size()}, a);
        driver_.unmap(at);
        if (s != nic::AdminStatus::ok) return status_of(s);
        queries = queries.subspan(some.size());
    }
    return Status::ok;
}

Status Dedup::use(uint64_t store, dedup::Reference r, nic::DedupUse how,
                  std::span<const std::byte>& chunk) {
    nic::AdminAnswer a;
    const nic::AdminStatus s =
        driver_.ask(nic::AdminOp::use_dedup_reference,
                    {store, both(r.place, r.generation), static_cast<uint64_t>(how)}, a);
    if (s == nic::AdminStatus::illegal_parameter) return Status::not_found;
    if (s == nic::AdminStatus::ok)
        chunk = {reinterpret_cast<const std::byte*>(a.results[0]), a.results[1]};
    return status_of(s);
}

Status Dedup::statistics(uint64_t store, nic::DedupStatistics& out) {
    const uint64_t at = driver_.map(std::as_writable_bytes(std::span(&out, 1)));
    nic::AdminAnswer a;
    const nic::AdminStatus s = driver_.ask(nic::AdminOp::get_dedup_statistics, {store, at}, a);
    driver_.unmap(at);
    return status_of(s);
}

} // namespace rill::rdm
