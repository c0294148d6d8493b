// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/memory_region.hpp"

#include "fi/counter.hpp"
#include "fi/dedup.hpp"
#include "fi/domain.hpp"
#include "fi/errors.hpp"
#include "fi/log.hpp"
#include "rdm/request.hpp"
#include "util/guarded_copy.hpp"

#include <cstring>
#include <memory>
#include <utility>

namespace rill::fi {

namespace {

constexpr uint64_t kAccess =
    FI_SEND | FI_RECV | FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE | FI_COLLECTIVE;

int register_region(fid* handle, const fi_mr_attr& attr, uint64_t flags, fid_mr** out) {
    if (handle->fclass != FI_CLASS_DOMAIN) return -FI_EINVAL;
    return guarded([&] {
        Domain& domain = object_of<Domain>(handle);
        if (!domain.is_ours()) return -FI_EOPBADSTATE;
        return MemoryRegion::open(domain, attr, flags, out);
    });
}

fi_mr_attr attributes(const iovec* iov, size_t count, uint64_t access, uint64_t offset,
                      uint64_t key, void* context) {
    fi_mr_attr a{};
    a.mr_iov = iov;
    a.iov_count = count;
    a.access = access;
    a.offset = offset;
    a.requested_key = key;
    a.context = context;
    return a;
}

int reg_entry(fid* handle, const void* buf, size_t len, uint64_t access, uint64_t offset,
              uint64_t key, uint64_t flags, fid_mr** out, void* context) {
    const iovec one{.iov_base = const_cast<void*>(buf), .iov_len = len};
    return register_region(handle, attributes(&one, 1, access, offset, key, context), flags, out);
}

int regv_entry(fid* handle, const iovec* iov, size_t count, uint64_t access, uint64_t offset,
               uint64_t key, uint64_t flags, fid_mr** out, void* context) {
    return register_region(handle, attributes(iov, count, access, offset, key, context), flags,
                           out);
}

int regattr_entry(fid* handle, const fi_mr_attr* attr, uint64_t flags, fid_mr** out) {
    return register_region(handle, *attr, flags, out);
}

int close_entry(fid* handle) {
    return object_of<MemoryRegion>(handle).close();
}

int bind_entry(fid* handle, fid* what, uint64_t flags) {
    return guarded([&] { return object_of<MemoryRegion>(handle).bind(what, flags); });
}

int control_entry(fid* handle, int command, void* arg) {
    return guarded([&] { return object_of<MemoryRegion>(handle).control(command, arg); });
}

// Some pieces, which together are not longer than memory can be.
bool has_pieces(const fi_mr_attr& attr) {
    if (attr.iov_count == 0 || attr.iov_count > rdm::kIovMax || !attr.mr_iov) return false;
    size_t sum = 0;
    for (size_t i = 0; i < attr.iov_count; ++i)
        if (__builtin_add_overflow(sum, attr.mr_iov[i].iov_len, &sum)) return false;
    return true;
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = bind_entry,
    .control = control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

} // namespace

fi_ops_mr region_ops = {
    .size = sizeof(fi_ops_mr),
    .reg = reg_entry,
    .regv = regv_entry,
    .regattr = regattr_entry,
};

MemoryRegion::MemoryRegion(Domain& domain, const fi_mr_attr& attr)
    : domain_(domain),
      base_(domain.virtual_addresses() ? reinterpret_cast<uint64_t>(attr.mr_iov->iov_base) : 0) {
    set_face(face_, this, FI_CLASS_MR, attr.context, fid_ops);
    face_.mem_desc = &face_; // not needed by any call of ours, and accepted by all
}

// Gives the device the region, under the key that was asked for or one of ours. -FI_ENOKEY: taken.
int MemoryRegion::add(const fi_mr_attr& attr) {
    Engine& engine = domain_->engine();
    const Owned own(engine);
    uint64_t key = attr.requested_key;
    const bool own_key = domain_->provider_keys();
    if (!own_key && key == FI_KEY_NOTAVAIL) return -FI_ENOKEY;
    const rdm::RegionDescription region{.pieces = attr.mr_iov,
                                        .count = attr.iov_count,
                                        .base = base_,
                                        .readable = (attr.access & FI_REMOTE_READ) != 0,
                                        .writable = (attr.access & FI_REMOTE_WRITE) != 0};
    const Status s = engine.module().driver().register_memory(key, own_key, region);
    if (s == Status::busy) return -FI_ENOKEY;
    if (!is_ok(s)) return result_of(s);
    engine.module().watch_memory(key, this);
    face_.key = key;
    return 0;
}

int MemoryRegion::open(Domain& domain, const fi_mr_attr& attr, uint64_t flags, fid_mr** out) {
    // Events of a region are those of the counters that are bound to it: nothing has to be set up.
    if (flags & ~FI_RMA_EVENT) return -FI_EBADFLAGS;
    if (attr.offset) return -FI_EINVAL; // reserved
    if (attr.access & ~kAccess) return -FI_EINVAL;
    if (!has_pieces(attr)) return -FI_EINVAL;
    // The fields behind the context came with API 1.5 and 1.9.
    const uint32_t version = domain.api_version();
    if (FI_VERSION_GE(version, FI_VERSION(1, 5)) && attr.auth_key_size) return -FI_EINVAL;
    if (FI_VERSION_GE(version, FI_VERSION(1, 9)) && attr.iface != FI_HMEM_SYSTEM) return -FI_EINVAL;
    static const bool guarded = guarded_copies_work();
    if ((attr.access & (FI_REMOTE_READ | FI_REMOTE_WRITE)) && !guarded) {
        warn(FI_LOG_MR,
             "no remote access to memory: process_vm_readv(2) on ourselves is forbidden");
        return -FI_ENOSYS;
    }
    std::unique_ptr<MemoryRegion> region(new MemoryRegion(domain, attr));
    if (const int failed = region->add(attr)) return failed;
    *out = &region.release()->face_;
    // Asynchronous registration, which is done already.
    if (EventQueue* eq = domain.registration_events())
        eq->report(FI_MR_COMPLETE,
                   fi_eq_entry{.fid = &(*out)->fid, .context = attr.context, .data = 0});
    return 0;
}

int MemoryRegion::close() {
    if (domain_->is_ours()) {
        Engine& engine = domain_->engine();
        const Owned own(engine);
        if (dedup_) engine.module().dedup().detach(face_.key);
        engine.module().watch_memory(face_.key, nullptr);
        engine.module().driver().deregister_memory(face_.key, Engine::now());
    }
    delete this;
    return 0;
}

MemoryRegion::~MemoryRegion() = default;

// A counter, for one direction or both.
int MemoryRegion::bind(fid* handle, uint64_t flags) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (handle->fclass != FI_CLASS_CNTR) return -FI_EINVAL;
    if (flags == 0 || (flags & ~(FI_REMOTE_READ | FI_REMOTE_WRITE))) return -FI_EBADFLAGS;
    Counter& counter = object_of<Counter>(handle);
    const bool reads = flags & FI_REMOTE_READ;
    const bool writes = flags & FI_REMOTE_WRITE;
    if (&counter.domain() != domain_.get()) return -FI_EINVAL;
    if ((reads && remote_reads_) || (writes && remote_writes_)) return -FI_EINVAL;
    if (reads) remote_reads_ = Use<Counter>(counter);
    if (writes) remote_writes_ = Use<Counter>(counter);
    return 0;
}

rdm::EventCounter* MemoryRegion::remote_reads() const {
    return remote_reads_.get();
}

rdm::EventCounter* MemoryRegion::remote_writes() const {
    return remote_writes_.get();
}

bool MemoryRegion::is_one(const fid* handle) {
    return handle->fclass == FI_CLASS_MR && handle->ops == &fid_ops;
}

int MemoryRegion::attach(DedupStore& store, DedupRing* ring, uint32_t scope) {
    if (&store.domain() != domain_.get()) return -FI_EINVAL;
    if (dedup_) return -FI_EBUSY;
    auto attached = std::make_unique<DedupAttached>();
    const Owned own(domain_->engine());
    const Status s = domain_->engine().module().dedup().attach(face_.key, store.number(),
                                                               ring ? ring->number() : 0, scope);
    if (!is_ok(s)) return result_of(s);
    attached->store = Use<DedupStore>(store);
    if (ring) attached->ring = Use<DedupRing>(*ring);
    dedup_ = std::move(attached);
    return 0;
}

int MemoryRegion::detach() {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (!dedup_) return -FI_ENOENT;
    const Owned own(domain_->engine());
    domain_->engine().module().dedup().detach(face_.key);
    dedup_.reset();
    return 0;
}

int MemoryRegion::get_raw(const struct fi_mr_raw_attr& out) const {
    if (out.flags) return -FI_EBADFLAGS;
    if (!out.key_size) return -FI_EINVAL;
    const size_t room = std::exchange(*out.key_size, sizeof face_.key);
    if (room < sizeof face_.key) return -FI_ETOOSMALL;
    if (!out.raw_key) return -FI_EINVAL;
    std::memcpy(out.raw_key, &face_.key, sizeof face_.key);
    if (out.base_addr) *out.base_addr = base_;
    return 0;
}

int map_raw_key(const struct fi_mr_map_raw& map) {
    if (map.flags) return -FI_EBADFLAGS;
    if (!map.raw_key || !map.key || map.key_size != sizeof *map.key) return -FI_EINVAL;
    std::memcpy(map.key, map.raw_key, sizeof *map.key);
    return 0;
}

int MemoryRegion::control(int command, void* arg) {
    switch (command) {
    case FI_REFRESH: {
        // Other pages lie behind the same addresses. Ours are looked up at every access.
        const auto& change = *static_cast<const fi_mr_modify*>(arg);
        if (!domain_->is_ours()) return -FI_EOPBADSTATE;
        if (change.flags) return -FI_EBADFLAGS;
        return change.attr.iov_count > 0 && !change.attr.mr_iov ? -FI_EINVAL : 0;
    }
    case FI_GET_RAW_MR: return get_raw(*static_cast<struct fi_mr_raw_attr*>(arg));
    case FI_ENABLE: return 0; // enabled from the beginning
    default: return -FI_ENOSYS;
    }
}

} // namespace rill::fi
