// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/dedup_unit.hpp"

#include <algorithm>
#include <new>

namespace rill::nic {

using dedup::Engine;
using obs::Counter;

// Of each store and ring. What they are about is bounded too, by messages and packets on their way
// in; these are made as they are needed, 1 KiB and 64 B each.
constexpr dedup::EngineLimits kLimits = {.streams = 16384, .held_spans = 65536};

struct DedupUnit::StoreSlot {
    uint8_t number = 0;
    uint32_t attached = 0;
    DedupStoreSettings settings;
    dedup::Store store;
    Engine::Counters past; // of engines that are gone
    uint64_t streams_lost = 0;

    StoreSlot(uint8_t n, DedupStoreSettings s)
        : number(n), settings(std::move(s)), store(settings.capacity) {
        settings.engine.key = settings.key;
        settings.engine.limits = kLimits;
    }
};

struct DedupUnit::RingSlot {
    uint8_t number = 0;
    uint32_t attached = 0;
    dedup::RecordRing ring;
};

struct DedupContext {
    uint8_t store = 0, ring = 0;
    uint32_t streams = 0; // opened so far: their names
    Engine engine;

    DedupContext(uint8_t s, uint8_t r, dedup::Store& store, dedup::RecordRing& ring,
                 const dedup::EngineSettings& settings)
        : store(s), ring(r), engine(store, ring, settings, dedup::this_cpu()) {}
};

namespace {

void add(Engine::Counters& to, const Engine::Counters& c) {
    to.bytes += c.bytes;
    to.chunks += c.chunks;
    to.duplicates += c.duplicates;
    to.duplicate_bytes += c.duplicate_bytes;
    to.mismatches += c.mismatches;
    to.records_dropped += c.records_dropped;
    to.aborted += c.aborted;
    to.expired += c.expired;
}

} // namespace

DedupUnit::DedupUnit(obs::Counters& counters) : counters_(counters) {}

DedupUnit::~DedupUnit() = default;

// ---- stores, rings and what is attached -------------------------------------------------------

DedupUnit::StoreSlot* DedupUnit::store(uint64_t number) const {
    return number < stores_.size() ? stores_[number].get() : nullptr;
}

DedupUnit::RingSlot* DedupUnit::ring(uint64_t number) const {
    return number < rings_.size() ? rings_[number].get() : nullptr;
}

Status DedupUnit::open_store(uint64_t number, DedupStoreSettings settings) {
    if (number == 0 || number >= stores_.size()) return Status::invalid;
    if (stores_[number]) return Status::address_in_use;
    try {
        stores_[number] =
            std::make_unique<StoreSlot>(static_cast<uint8_t>(number), std::move(settings));
    } catch (const std::bad_alloc&) {
        return Status::no_memory;
    }
    open_stores_.push_back(static_cast<uint8_t>(number));
    active_ = true;
    return Status::ok;
}

Status DedupUnit::close_store(uint64_t number) {
    StoreSlot* s = store(number);
    if (!s) return Status::not_found;
    if (s->attached > 0) return Status::address_in_use;
    drop_contexts(s, nullptr);
    std::erase(open_stores_, s->number);
    stores_[number].reset();
    active_ = !open_stores_.empty();
    return Status::ok;
}

Status DedupUnit::open_ring(uint64_t number, dedup::RingHeader& header, uint32_t capacity) {
    if (number == 0 || number >= rings_.size()) return Status::invalid;
    if (rings_[number]) return Status::address_in_use;
    rings_[number].reset(new RingSlot{static_cast<uint8_t>(number), 0, {header, capacity}});
    return Status::ok;
}

Status DedupUnit::close_ring(uint64_t number) {
    RingSlot* r = ring(number);
    if (!r) return Status::not_found;
    if (r->attached > 0) return Status::address_in_use;
    drop_contexts(nullptr, r);
    rings_[number].reset();
    return Status::ok;
}

DedupContext* DedupUnit::context(StoreSlot& s, RingSlot& r) {
    for (const auto& c : contexts_)
        if (c->store == s.number && c->ring == r.number) return c.get();
    contexts_.push_back(
        std::make_unique<DedupContext>(s.number, r.number, s.store, r.ring, s.settings.engine));
    return contexts_.back().get();
}

// Of that store, or of that ring. What is under way in them ends without a word.
void DedupUnit::drop_contexts(const StoreSlot* s, const RingSlot* r) {
    const auto goes = [&](const DedupContext& c) {
        return (s && c.store == s->number) || (r && c.ring == r->number);
    };
    std::vector<Transfer*> over;
    transfers_.for_each([&](Transfer& t) {
        if (goes(*t.context)) over.push_back(&t);
    });
    for (Transfer* t : over)
        abort(*t->owner);
    std::erase_if(contexts_, [&](const auto& c) {
        if (!goes(*c)) return false;
        add(past_, c->engine.counters());
        add(stores_[c->store]->past, c->engine.counters());
        return true;
    });
}

Status DedupUnit::attach(uint64_t store_number, uint64_t ring_number, uint32_t scope,
                         DedupAttachment& a) {
    StoreSlot* s = store(store_number);
    RingSlot* r = ring(ring_number);
    if (!s || (ring_number != 0 && !r)) return Status::not_found;
    if (a) return Status::address_in_use;
    ++s->attached;
    if (r) ++r->attached;
    a = {r ? context(*s, *r) : nullptr, s->number, r ? r->number : uint8_t{0}, scope};
    return Status::ok;
}

// What has begun goes on.
void DedupUnit::detach(DedupAttachment& a) {
    if (!a) return;
    --stores_[a.store]->attached;
    if (a.ring) --rings_[a.ring]->attached;
    a = {};
}

Status DedupUnit::attach_memory(const DedupAttachment& a, IovView pieces) {
    dedup::Store& s = stores_[a.store]->store;
    for (uint32_t i = 0; i < pieces.count; ++i) {
        const iovec& p = pieces.entries[i];
        const Status status = s.attach({static_cast<const std::byte*>(p.iov_base), p.iov_len});
        if (is_ok(status)) continue;
        detach_memory(a, {pieces.entries, i});
        return status;
    }
    return Status::ok;
}

void DedupUnit::detach_memory(const DedupAttachment& a, IovView pieces) {
    std::vector<Transfer*> over;
    transfers_.for_each([&](Transfer& t) {
        if (t.list.entries == pieces.entries) over.push_back(&t);
    });
    for (Transfer* t : over)
        abort(*t->owner);
    for (uint32_t i = 0; i < pieces.count; ++i)
        (void)stores_[a.store]->store.detach(
            static_cast<const std::byte*>(pieces.entries[i].iov_base));
}

void DedupUnit::clear() {
    for (size_t i = 1; i < stores_.size(); ++i) {
        if (stores_[i]) stores_[i]->attached = 0;
        if (rings_[i]) rings_[i]->attached = 0;
        (void)close_store(i);
        (void)close_ring(i);
    }
    remote_.clear();
}

// ---- the host's questions ---------------------------------------------------------------------

Status DedupUnit::submit(uint64_t store_number, uint64_t ring_number, uint32_t scope,
                         uint32_t stream, std::span<const std::byte> data) {
    StoreSlot* s = store(store_number);
    RingSlot* r = ring(ring_number);
    if (!s || !r) return Status::not_found;
    DedupContext& c = *context(*s, *r);
    dedup::Stream* opened = c.engine.open(stream, scope, 0, now_);
    if (!opened) return Status::no_memory;
    const iovec whole{const_cast<std::byte*>(data.data()), data.size()};
    wrote({&whole, 1}, 0, data.size(), s->number);
    (void)c.engine.place(*opened, 0, data, now_); // in order: nothing to hold back
    const Status status = c.engine.finish(*opened);
    count();
    return status;
}

Status DedupUnit::look_up(uint64_t number, std::span<DedupQuery> queries) {
    StoreSlot* s = store(number);
    if (!s) return Status::not_found;
    constexpr size_t kBatch = 32;
    std::array<dedup::Store::Key, kBatch> keys;
    while (!queries.empty()) {
        const auto some = queries.first(std::min(kBatch, queries.size()));
        for (size_t i = 0; i < some.size(); ++i) {
            std::copy_n(some[i].digest, sizeof some[i].digest, keys[i].digest.bytes.data());
            keys[i].scope = some[i].scope;
            keys[i].length = some[i].length;
        }
        s->store.warm({keys.data(), some.size()});
        for (size_t i = 0; i < some.size(); ++i) {
            const dedup::Store::Found found = s->store.find(keys[i]);
            some[i].address = reinterpret_cast<uintptr_t>(found.bytes);
            some[i].place = found.reference.place;
            some[i].generation = found.reference.generation;
        }
        queries = queries.subspan(some.size());
    }
    return Status::ok;
}

Status DedupUnit::use(uint64_t number, dedup::Reference r, DedupUse how,
                      std::span<const std::byte>& chunk) {
    StoreSlot* s = store(number);
    if (!s) return Status::not_found;
    switch (how) {
    case DedupUse::hold: return s->store.hold(r);
    case DedupUse::release: return s->store.release(r);
    case DedupUse::resolve: {
        const dedup::Store::Found found = s->store.resolve(r);
        if (!found.reference) return Status::not_found;
        chunk = {found.bytes, found.length};
        return Status::ok;
    }
    }
    return Status::invalid;
}

Status DedupUnit::statistics(uint64_t number, DedupStatistics& out) const {
    const StoreSlot* s = store(number);
    if (!s) return Status::not_found;
    Engine::Counters sum = s->past;
    for (const auto& c : contexts_)
        if (c->store == s->number) add(sum, c->engine.counters());
    const dedup::Store::Counters& of = s->store.counters();
    out = {.capacity = s->store.capacity(),
           .chunks_now = s->store.size(),
           .bytes = sum.bytes,
           .chunks = sum.chunks,
           .duplicates = sum.duplicates,
           .duplicate_bytes = sum.duplicate_bytes,
           .mismatches = sum.mismatches,
           .records_dropped = sum.records_dropped,
           .streams_lost = s->streams_lost,
           .lookups = of.lookups,
           .hits = of.hits,
           .inserted = of.inserted,
           .evicted = of.evicted + of.displaced,
           .overwritten = of.overwritten,
           .refused = of.refused};
    return Status::ok;
}

// ---- data path --------------------------------------------------------------------------------

// Of one store the engine that will chunk it sees to that.
void DedupUnit::wrote(IovView list, uint64_t offset, uint64_t bytes, uint8_t except) {
    for (const uint8_t number : open_stores_) {
        if (number == except) continue;
        dedup::Store& s = stores_[number]->store;
        for_pieces(list, offset, bytes, [&](const std::byte* at, size_t, size_t n) {
            s.overwritten({at, n});
            return true;
        });
    }
}

void DedupUnit::lost(DedupContext& c) {
    ++stores_[c.store]->streams_lost;
    counters_.add(Counter::dedup_streams_lost);
}

void DedupUnit::begin(const DedupAttachment& a, Transfer*& owner, IovView list, uint64_t base,
                      uint64_t bytes, uint64_t origin, uint64_t together, uint64_t missing) {
    DedupContext& c = *a.context;
    Transfer* t = transfers_.make();
    t->stream = c.engine.open(c.streams++, a.scope, origin, now_, t);
    if (!t->stream) {
        transfers_.free(t);
        return lost(c);
    }
    t->context = &c;
    t->owner = &owner;
    t->list = list;
    t->base = base;
    t->bytes = bytes;
    t->together = together;
    t->missing = missing;
    owner = t;
    const bool is_there = missing == 0 && together > 0;
    if (is_there && !place(*t, 0, together)) return abort(owner);
    if (t->stream->front >= bytes) finish(owner);
}

// False: there was no room to note it.
bool DedupUnit::place(Transfer& t, uint64_t offset, uint64_t bytes) {
    if (offset >= t.bytes) return true;
    bytes = std::min(bytes, t.bytes - offset);
    wrote(t.list, t.base + offset, bytes, t.context->store);
    bool noted = true;
    for_pieces(t.list, t.base + offset, bytes, [&](const std::byte* at, size_t done, size_t n) {
        noted = is_ok(t.context->engine.place(*t.stream, offset + done, {at, n}, now_));
        return noted;
    });
    return noted;
}

void DedupUnit::placed(Transfer*& owner, uint64_t offset, uint64_t bytes) {
    Transfer& t = *owner;
    if (offset < t.together) {
        if (t.missing > 0) t.missing -= std::min(t.missing, bytes);
        if (t.missing > 0) return;
        offset = 0;
        bytes = t.together;
    }
    if (!place(t, offset, bytes)) {
        lost(*t.context);
        return abort(owner);
    }
    if (t.stream->front >= t.bytes) finish(owner);
}

void DedupUnit::placed_whole(const DedupAttachment& a, IovView list, uint64_t base, uint64_t bytes,
                             uint64_t origin) {
    Transfer* t = nullptr;
    begin(a, t, list, base, bytes, origin, bytes, 0);
}

// The records are in the ring when this returns.
void DedupUnit::finish(Transfer*& owner) {
    Transfer& t = *owner;
    if (!is_ok(t.context->engine.finish(*t.stream))) return abort(owner);
    count();
    free(owner);
}

void DedupUnit::abort(Transfer*& owner) {
    if (!owner) return;
    owner->context->engine.abort(*owner->stream);
    free(owner);
}

void DedupUnit::free(Transfer*& owner) {
    Transfer* t = owner;
    owner = nullptr;
    transfers_.free(t);
}

void DedupUnit::abort_remote(RemoteId id) {
    id.address = 0;
    auto it = remote_.lower_bound(id);
    while (it != remote_.end() && it->first.flow == id.flow &&
           it->first.generation == id.generation && it->first.msg_no == id.msg_no) {
        abort(it->second);
        it = remote_.erase(it);
    }
}

void DedupUnit::abort_flow(uint32_t flow, uint32_t generation) {
    auto it = remote_.lower_bound({flow, generation, 0, 0});
    while (it != remote_.end() && it->first.flow == flow && it->first.generation == generation) {
        abort(it->second);
        it = remote_.erase(it);
    }
}

void DedupUnit::run() {
    for (const auto& c : contexts_)
        c->engine.run();
    count();
}

void DedupUnit::expire() {
    for (const auto& c : contexts_)
        c->engine.expire(now_, [&](dedup::Stream& s) {
            Transfer* t = static_cast<Transfer*>(s.owner);
            lost(*c);
            free(*t->owner);
        });
}

Instant DedupUnit::deadline() const {
    Instant first = kNever;
    for (const auto& c : contexts_)
        first = std::min(first, c->engine.deadline());
    return first;
}

// As others see them: of all stores together.
void DedupUnit::count() {
    Engine::Counters sum = past_;
    for (const auto& c : contexts_)
        add(sum, c->engine.counters());
    counters_.set(Counter::dedup_bytes, sum.bytes);
    counters_.set(Counter::dedup_chunks, sum.chunks);
    counters_.set(Counter::dedup_duplicates, sum.duplicates);
    counters_.set(Counter::dedup_duplicate_bytes, sum.duplicate_bytes);
    counters_.set(Counter::dedup_records_dropped, sum.records_dropped);
}

} // namespace rill::nic
