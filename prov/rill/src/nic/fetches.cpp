// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Fetches: the initiator's end of reads and of atomics with a result.
#include "nic/device.hpp"

namespace rill::nic {

using obs::Counter;

void Device::open_fetch(const SendEntry& e) {
    Fetch* f = fetches_.make();
    f->request = e.request;
    f->handle = e.target;
    f->iov = {e.iov, e.iov_count};
    f->total = e.length;
    const auto h = fetches_.handle(f);
    *e.fetch = {h.slot, h.generation};
}

void Device::close_fetch(wire::GrantId id) {
    if (Fetch* f = fetches_.find({id.slot, id.generation})) fetches_.free(f);
}

// Only whom we asked may answer.
Fetch* Device::fetch_of(transport::Context& from, wire::GrantId id) {
    Fetch* f = fetches_.find({id.slot, id.generation});
    const bool theirs = f && handles_.valid(f->handle) && handles_[f->handle].peer == from.peer();
    if (!theirs) counters_.add(Counter::drop_bad_grant);
    return theirs ? f : nullptr;
}

void Device::end_fetch(Fetch& f, Status status) {
    CompletionEntry& e = new_entry(EntryKind::fetched);
    e.request = f.request;
    e.status = static_cast<uint8_t>(status);
    const auto h = fetches_.handle(&f);
    e.inbound = {h.slot, h.generation};
    push_entry();
    fetches_.free(&f);
}

void Device::on_fetched_bytes(transport::Context& from, wire::GrantId id, uint64_t offset,
                              std::span<const std::byte> payload) {
    Fetch* f = fetch_of(from, id);
    if (!f) return;
    const size_t n = payload.size();
    if (offset > f->total || n > f->total - offset || n > f->total - f->got) {
        counters_.add(Counter::drop_bad_grant);
        return;
    }
    scatter(f->iov, offset, payload);
    count_placed(Way::direct, n);
    if (dedup_.active()) [[unlikely]]
        dedup_.wrote(f->iov, offset, n);
    f->got += n;
    if (f->got == f->total) end_fetch(*f, Status::ok);
}

void Device::on_answer(transport::Context& from, const wire::RecordView& r) {
    const auto status = static_cast<Status>(r.flags);
    if (is_ok(status)) return on_fetched_bytes(from, r.answer.fetch, r.answer.offset, r.payload);
    if (Fetch* f = fetch_of(from, r.answer.fetch)) end_fetch(*f, status);
}

} // namespace rill::nic
