// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Stores of chunks and rings of records, as objects of a domain.
#include "fi/dedup.hpp"

#include "fi/domain.hpp"
#include "fi/errors.hpp"

#include <algorithm>
#include <bit>

namespace rill::fi {

namespace {

constexpr uint64_t kChunksDefault = 65536;
constexpr size_t kRecordsDefault = 4096;
constexpr size_t kRecordsMax = 1 << 20;
constexpr dedup::ChunkLimits kFixedDefault = {4096, 4096, 4096};
constexpr dedup::ChunkLimits kByContentDefault = {2048, 8192, 65536};

// A record goes out as it came in.
static_assert(sizeof(fi_rill_record) == sizeof(dedup::Record));
static_assert(offsetof(fi_rill_record, address) == offsetof(dedup::Record, address));
static_assert(offsetof(fi_rill_record, reference) == offsetof(dedup::Record, reference));
static_assert(offsetof(fi_rill_record, length) == offsetof(dedup::Record, length));
static_assert(offsetof(fi_rill_record, stream) == offsetof(dedup::Record, stream));
static_assert(offsetof(fi_rill_record, sequence) == offsetof(dedup::Record, sequence));
static_assert(offsetof(fi_rill_record, flags) == offsetof(dedup::Record, flags));
static_assert(FI_RILL_DUPLICATE == dedup::kDuplicate && FI_RILL_VERIFIED == dedup::kVerified &&
              FI_RILL_ZERO == dedup::kZero && FI_RILL_FORCED_CUT == dedup::kForcedCut &&
              FI_RILL_LAST == dedup::kLast && FI_RILL_SCATTERED == dedup::kScattered);
static_assert(FI_RILL_CHUNK_EXTREMUM == static_cast<int>(dedup::ChunkerKind::extremum) &&
              FI_RILL_SHA256 == static_cast<int>(dedup::DigestKind::sha256));

int store_close_entry(fid* handle) {
    return guarded([&] { return object_of<DedupStore>(handle).close(); });
}

int ring_close_entry(fid* handle) {
    return guarded([&] { return object_of<DedupRing>(handle).close(); });
}

int ring_control_entry(fid* handle, int command, void* arg) {
    return guarded([&] { return object_of<DedupRing>(handle).control(command, arg); });
}

fi_ops store_fid_ops = {
    .size = sizeof(fi_ops),
    .close = store_close_entry,
    .bind = no_sys,
    .control = no_sys,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops ring_fid_ops = {
    .size = sizeof(fi_ops),
    .close = ring_close_entry,
    .bind = no_sys,
    .control = ring_control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

int describe(const fi_rill_store_attr& attr, rdm::DedupStoreDescription& d) {
    if (attr.chunker > FI_RILL_CHUNK_EXTREMUM || attr.digest > FI_RILL_SHA256 ||
        attr.capacity > nic::kDedupStoreMax || attr.key_len > nic::kDedupKeyMax ||
        (attr.key_len > 0 && !attr.key))
        return -FI_EINVAL;
    d.chunker = static_cast<dedup::ChunkerKind>(attr.chunker);
    d.digest = static_cast<dedup::DigestKind>(attr.digest);
    d.limits = {attr.min, attr.avg, attr.max};
    if (attr.min == 0 && attr.avg == 0 && attr.max == 0)
        d.limits = attr.chunker == FI_RILL_CHUNK_FIXED ? kFixedDefault : kByContentDefault;
    d.capacity = static_cast<uint32_t>(attr.capacity ? attr.capacity : kChunksDefault);
    d.verify = attr.verify != 0;
    const auto* key = static_cast<const std::byte*>(attr.key);
    if (key) d.key.assign(key, key + attr.key_len);
    return 0;
}

} // namespace

// ---- stores -----------------------------------------------------------------------------------

DedupStore::DedupStore(Domain& domain, uint64_t number, void* context)
    : domain_(domain), number_(number) {
    set_face(face_, this, FI_CLASS_UNSPEC, context, store_fid_ops);
    Registry<DedupStore>::instance().add(*this);
}

DedupStore::~DedupStore() {
    Registry<DedupStore>::instance().remove(*this);
}

bool DedupStore::is_open(const fid_rill_store* handle) {
    return Registry<DedupStore>::instance().any(
        [&](const DedupStore& s) { return &s.face_ == handle; });
}

int DedupStore::open(Domain& domain, const fi_rill_store_attr& attr, fid_rill_store** out,
                     void* context) {
    rdm::DedupStoreDescription d;
    if (const int failed = describe(attr, d)) return failed;
    uint64_t number = 0;
    {
        const Owned own(domain.engine());
        const Status s = domain.engine().module().dedup().open_store(d, number);
        if (!is_ok(s)) return result_of(s);
    }
    *out = &(new DedupStore(domain, number, context))->face_;
    return 0;
}

int DedupStore::close() {
    if (uses.any()) return -FI_EBUSY;
    if (domain_->is_ours()) {
        const Owned own(domain_->engine());
        domain_->engine().module().dedup().close_store(number_);
    }
    delete this;
    return 0;
}

// ---- rings ------------------------------------------------------------------------------------

DedupRing::DedupRing(Domain& domain, uint64_t number, WakeFd wake, void* context)
    : domain_(domain), number_(number), wake_(std::move(wake)) {
    set_face(face_, this, FI_CLASS_UNSPEC, context, ring_fid_ops);
    Registry<DedupRing>::instance().add(*this);
}

DedupRing::~DedupRing() {
    Registry<DedupRing>::instance().remove(*this);
}

bool DedupRing::is_open(const fid_rill_ring* handle) {
    return Registry<DedupRing>::instance().any(
        [&](const DedupRing& r) { return &r.face_ == handle; });
}

int DedupRing::open(Domain& domain, const fi_rill_ring_attr& attr, fid_rill_ring** out,
                    void* context) {
    const size_t wanted = attr.count ? attr.count : kRecordsDefault;
    if (wanted < FI_RILL_RING_MIN) return -FI_ETOOSMALL;
    if (wanted > kRecordsMax) return -FI_EINVAL;
    const int wait = number_of(attr.wait_obj);
    const bool waits = wait == FI_WAIT_FD || wait == FI_WAIT_UNSPEC;
    if (!waits && wait != FI_WAIT_NONE) return -FI_ENOSYS;
    WakeFd wake;
    if (waits && !wake.open()) return -FI_EMFILE;
    uint64_t number = 0;
    const Owned own(domain.engine());
    const Status s = domain.engine().module().dedup().open_ring(
        static_cast<uint32_t>(std::bit_ceil(wanted)), number);
    if (!is_ok(s)) return result_of(s);
    auto* ring = new DedupRing(domain, number, std::move(wake), context);
    if (waits) domain.engine().listen(*ring);
    *out = &ring->face_;
    return 0;
}

int DedupRing::close() {
    if (uses.any()) return -FI_EBUSY;
    if (domain_->is_ours()) {
        const Owned own(domain_->engine());
        domain_->engine().stop_listening(*this);
        domain_->engine().module().dedup().close_ring(number_);
    }
    delete this;
    return 0;
}

int DedupRing::control(int command, void* arg) {
    if (!arg) return -FI_EINVAL;
    switch (command) {
    case FI_GETWAIT:
        if (!wake_.is_open()) return -FI_ENODATA;
        *static_cast<int*>(arg) = wake_.fd();
        return 0;
    default: return -FI_ENOSYS;
    }
}

void DedupRing::passed() {
    if (!wake_.is_open()) return;
    const bool any = !domain_->engine().module().dedup().records(number_).empty();
    if (any == raised_) return;
    raised_ = any;
    if (any)
        wake_.raise();
    else
        wake_.clear();
}

// A program that reads in vain may go to sleep on the descriptor: then somebody has to be there.
ssize_t DedupRing::read(fi_rill_record* records, size_t count) {
    Engine& engine = domain_->engine();
    ssize_t got = 0;
    {
        const Owned own(engine);
        dedup::RecordMemory& memory = engine.module().dedup().records(number_);
        if (memory.empty()) engine.pass();
        if (memory.dropped() != dropped_) {
            dropped_ = memory.dropped();
            return -FI_EOVERRUN;
        }
        for (; static_cast<size_t>(got) < count && !memory.empty(); ++got, memory.pop())
            std::memcpy(&records[got], &memory.front(), sizeof *records);
        passed();
    }
    if (got > 0 || count == 0) return got;
    if (wake_.is_open()) engine.housekeeper().summon();
    return -FI_EAGAIN;
}

} // namespace rill::fi
