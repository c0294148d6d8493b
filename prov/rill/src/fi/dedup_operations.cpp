// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The operations of FI_RILL_DEDUP_OPS_1: every one looks at all that it was given first.
#include "fi/dedup.hpp"
#include "fi/domain.hpp"
#include "fi/endpoint.hpp"
#include "fi/errors.hpp"
#include "fi/memory_region.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace rill::fi {

namespace {

int usable(Domain& domain) {
    if (!domain.is_ours()) return -FI_EOPBADSTATE;
    const Owned own(domain.engine());
    return domain.engine().module().dedup().is_there() ? 0 : -FI_EOPNOTSUPP;
}

// Runs `f` with the store, and the engine owned.
template <class F>
int with_store(fid_rill_store* handle, F&& f) {
    return guarded([&] {
        if (!DedupStore::is_open(handle)) return -FI_EINVAL;
        DedupStore& store = object_of<DedupStore>(handle);
        if (!store.domain().is_ours()) return -FI_EOPBADSTATE;
        const Owned own(store.domain().engine());
        return f(store, store.domain().engine().module().dedup());
    });
}

// That the reference is not known any more is not the miss of a peek.
int of_reference(Status s) {
    return s == Status::not_found ? -FI_ENOENT : result_of(s);
}

dedup::Reference reference_of(const fi_rill_reference& r) {
    return {r.place, r.generation};
}

struct Feature {
    std::string_view name;
    uint64_t value;
};

int query(fid_domain* handle, const char* feature, uint64_t* value) {
    return guarded([&] {
        if (!feature || !value || !Domain::is_open(handle)) return -FI_EINVAL;
        Domain& domain = object_of<Domain>(handle);
        const int answer = usable(domain);
        if (answer == -FI_EOPBADSTATE) return answer;
        const bool there = answer == 0;
        const Feature features[] = {
            {"dedup", there},
            {"report", there},
            {"eliminate", 0},
            {"stores_max", there ? nic::kDedupNumberMax : 0},
            {"rings_max", there ? nic::kDedupNumberMax : 0},
            {"capacity_max", there ? nic::kDedupStoreMax : 0},
            {"chunk_min", dedup::kChunkMin},
            {"chunk_max", dedup::kChunkMax},
            {"avx2", dedup::this_cpu().avx2},
            {"avx512", dedup::this_cpu().avx512},
            {"sha_ni", dedup::this_cpu().sha},
        };
        for (const Feature& f : features) {
            if (f.name != feature) continue;
            *value = f.value;
            return 0;
        }
        return -FI_ENOENT;
    });
}

// Opens a DedupStore or a DedupRing.
template <class Object, class Attributes, class Handle>
int open_in(fid_domain* handle, const Attributes* attr, Handle** out, void* context) {
    return guarded([&] {
        if (!attr || !out || !Domain::is_open(handle) || attr->size < sizeof *attr)
            return -FI_EINVAL;
        Domain& domain = object_of<Domain>(handle);
        if (const int failed = usable(domain)) return failed;
        return Object::open(domain, *attr, out, context);
    });
}

int store_open(fid_domain* handle, const fi_rill_store_attr* attr, fid_rill_store** out,
               void* context) {
    return open_in<DedupStore>(handle, attr, out, context);
}

int ring_open(fid_domain* handle, const fi_rill_ring_attr* attr, fid_rill_ring** out,
              void* context) {
    return open_in<DedupRing>(handle, attr, out, context);
}

int attach(fid_rill_store* store_handle, fid_rill_ring* ring_handle, fid* to, uint32_t scope) {
    return guarded([&] {
        if (!to || !DedupStore::is_open(store_handle)) return -FI_EINVAL;
        if (ring_handle && !DedupRing::is_open(ring_handle)) return -FI_EINVAL;
        DedupStore& store = object_of<DedupStore>(store_handle);
        DedupRing* ring = ring_handle ? &object_of<DedupRing>(ring_handle) : nullptr;
        if (!store.domain().is_ours()) return -FI_EOPBADSTATE;
        if (ring && &ring->domain() != &store.domain()) return -FI_EINVAL;
        if (Endpoint::is_one(to)) return object_of<Endpoint>(to).attach(store, ring, scope);
        if (MemoryRegion::is_one(to)) return object_of<MemoryRegion>(to).attach(store, ring, scope);
        return -FI_EINVAL;
    });
}

int detach(fid* from) {
    return guarded([&] {
        if (!from) return -FI_EINVAL;
        if (Endpoint::is_one(from)) return object_of<Endpoint>(from).detach();
        if (MemoryRegion::is_one(from)) return object_of<MemoryRegion>(from).detach();
        return -FI_EINVAL;
    });
}

ssize_t ring_read(fid_rill_ring* handle, fi_rill_record* records, size_t count) {
    return guarded([&]() -> ssize_t {
        if (!records || !DedupRing::is_open(handle)) return -FI_EINVAL;
        DedupRing& ring = object_of<DedupRing>(handle);
        return ring.domain().is_ours() ? ring.read(records, count) : -FI_EOPBADSTATE;
    });
}

int look_up(fid_rill_store* handle, fi_rill_query* queries, size_t count) {
    return with_store(queries ? handle : nullptr, [&](DedupStore& store, rdm::Dedup& dedup) {
        std::vector<nic::DedupQuery> asked(count);
        for (size_t i = 0; i < count; ++i) {
            std::memcpy(asked[i].digest, queries[i].digest, sizeof asked[i].digest);
            asked[i].length = queries[i].length;
            asked[i].scope = queries[i].scope;
        }
        const Status s = dedup.look_up(store.number(), asked);
        if (!is_ok(s)) return result_of(s);
        for (size_t i = 0; i < count; ++i) {
            queries[i].address = reinterpret_cast<const void*>(asked[i].address);
            queries[i].reference = {asked[i].place, asked[i].generation};
        }
        return 0;
    });
}

int resolve(fid_rill_store* handle, fi_rill_reference reference, const void** address,
            size_t* length) {
    return with_store(
        address && length ? handle : nullptr, [&](DedupStore& store, rdm::Dedup& dedup) {
            std::span<const std::byte> chunk;
            const Status s =
                dedup.use(store.number(), reference_of(reference), nic::DedupUse::resolve, chunk);
            if (!is_ok(s)) return of_reference(s);
            *address = chunk.data();
            *length = chunk.size();
            return 0;
        });
}

int hold(fid_rill_store* handle, fi_rill_reference reference) {
    return with_store(handle, [&](DedupStore& store, rdm::Dedup& dedup) {
        std::span<const std::byte> unused;
        return of_reference(
            dedup.use(store.number(), reference_of(reference), nic::DedupUse::hold, unused));
    });
}

int release(fid_rill_store* handle, fi_rill_reference reference) {
    return with_store(handle, [&](DedupStore& store, rdm::Dedup& dedup) {
        std::span<const std::byte> unused;
        return of_reference(
            dedup.use(store.number(), reference_of(reference), nic::DedupUse::release, unused));
    });
}

int statistics(fid_rill_store* handle, fi_rill_store_statistics* out) {
    return with_store(out ? handle : nullptr, [&](DedupStore& store, rdm::Dedup& dedup) {
        if (out->size < offsetof(fi_rill_store_statistics, chunks_now)) return -FI_EINVAL;
        nic::DedupStatistics s;
        const Status status = dedup.statistics(store.number(), s);
        if (!is_ok(status)) return result_of(status);
        const fi_rill_store_statistics read = {
            .size = std::min(out->size, sizeof read),
            .capacity = s.capacity,
            .chunks_now = s.chunks_now,
            .bytes = s.bytes,
            .chunks = s.chunks,
            .duplicates = s.duplicates,
            .duplicate_bytes = s.duplicate_bytes,
            .mismatches = s.mismatches,
            .records_dropped = s.records_dropped,
            .streams_lost = s.streams_lost,
            .lookups = s.lookups,
            .hits = s.hits,
            .inserted = s.inserted,
            .evicted = s.evicted,
            .overwritten = s.overwritten,
            .refused = s.refused,
        };
        std::memcpy(out, &read, read.size);
        return 0;
    });
}

int submit(fid_rill_store* handle, fid_rill_ring* ring_handle, uint32_t scope, uint32_t stream,
           const void* data, size_t len) {
    return with_store(
        data || len == 0 ? handle : nullptr, [&](DedupStore& store, rdm::Dedup& dedup) {
            if (!DedupRing::is_open(ring_handle)) return -FI_EINVAL;
            DedupRing& ring = object_of<DedupRing>(ring_handle);
            if (&ring.domain() != &store.domain()) return -FI_EINVAL;
            const Status s = dedup.submit(store.number(), ring.number(), scope, stream,
                                          {static_cast<const std::byte*>(data), len});
            ring.passed();
            return result_of(s);
        });
}

} // namespace

fi_rill_ops_dedup dedup_ops = {
    .size = sizeof(fi_rill_ops_dedup),
    .query = query,
    .store_open = store_open,
    .ring_open = ring_open,
    .attach = attach,
    .detach = detach,
    .ring_read = ring_read,
    .look_up = look_up,
    .resolve = resolve,
    .hold = hold,
    .release = release,
    .statistics = statistics,
    .submit = submit,
};

} // namespace rill::fi
