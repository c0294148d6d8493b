// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/address_vector.hpp"

#include "fi/address.hpp"
#include "fi/address_range.hpp"
#include "fi/errors.hpp"
#include "fi/log.hpp"

#include <cstdio>

namespace rill::fi {

namespace {

constexpr int kContextBitsMax = 32; // of fi_addr_t; the rest is more than a vector holds

int close_entry(fid* handle) {
    return guarded([&] { return object_of<AddressVector>(handle).close(); });
}

int bind_entry(fid* handle, fid* what, uint64_t flags) {
    return guarded([&] { return object_of<AddressVector>(handle).bind(what, flags); });
}

int insert_entry(fid_av* handle, const void* addr, size_t count, fi_addr_t* out, uint64_t flags,
                 void* context) {
    return guarded(
        [&] { return object_of<AddressVector>(handle).insert(addr, count, out, flags, context); });
}

int insertsym_entry(fid_av* handle, const char* node, size_t nodes, const char* service,
                    size_t services, fi_addr_t* out, uint64_t flags, void* context) {
    return guarded([&] {
        return object_of<AddressVector>(handle).insert_names(node, nodes, service, services, out,
                                                             flags, context);
    });
}

int insertsvc_entry(fid_av* handle, const char* node, const char* service, fi_addr_t* out,
                    uint64_t flags, void* context) {
    return insertsym_entry(handle, node, 1, service, 1, out, flags, context);
}

int remove_entry(fid_av* handle, fi_addr_t* addr, size_t count, uint64_t flags) {
    return guarded([&] { return object_of<AddressVector>(handle).remove(addr, count, flags); });
}

int lookup_entry(fid_av* handle, fi_addr_t addr, void* buf, size_t* len) {
    return guarded([&] { return object_of<AddressVector>(handle).lookup(addr, buf, len); });
}

const char* straddr_entry(fid_av*, const void* addr, char* buf, size_t* len) {
    try {
        const std::string text = address_text(read_sockaddr(addr));
        const int needed = std::snprintf(buf, buf ? *len : 0, "%s", text.c_str());
        *len = static_cast<size_t>(needed) + 1;
        return buf;
    } catch (...) {
        return nullptr;
    }
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = bind_entry,
    .control = no_sys,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_av av_ops = {
    .size = sizeof(fi_ops_av),
    .insert = insert_entry,
    .insertsvc = insertsvc_entry,
    .insertsym = insertsym_entry,
    .remove = remove_entry,
    .lookup = lookup_entry,
    .straddr = straddr_entry,
    .av_set = no_sys,
};

} // namespace

AddressVector::AddressVector(Domain& domain, const fi_av_attr& attr, void* context)
    : domain_(domain), asynchronous_(attr.flags & FI_EVENT), read_only_(attr.flags & FI_READ) {
    set_face(face_, this, FI_CLASS_AV, context, fid_ops);
    face_.ops = &av_ops;
    const Owned own(domain.engine());
    peers_ = std::make_unique<rdm::AddressVector>(domain.engine().module());
}

AddressVector::~AddressVector() {
    // Belongs to a module that a forked child must not touch.
    if (!domain_->is_ours()) {
        domain_->engine().abandon(std::move(peers_));
        return;
    }
    const Owned own(domain_->engine());
    peers_.reset();
}

int AddressVector::open(Domain& domain, fi_av_attr* attr, fid_av** out, void* context) {
    fi_av_attr none{};
    fi_av_attr& a = attr ? *attr : none;
    if (const int type = number_of(a.type); type < FI_AV_UNSPEC || type > FI_AV_TABLE)
        return -FI_EINVAL;
    if (a.flags & ~(FI_EVENT | FI_READ | FI_SYMMETRIC | FI_AV_USER_ID)) return -FI_EBADFLAGS;
    if ((a.flags & FI_READ) && !a.name) return -FI_EINVAL; // read-only is for named ones
    // The upper bits of an address name a receive context. There is one, and so they stay 0.
    if (a.rx_ctx_bits < 0 || a.rx_ctx_bits > kContextBitsMax) return -FI_EINVAL;
    if (a.type == FI_AV_UNSPEC) a.type = FI_AV_TABLE;
    std::unique_ptr<AddressVector> av(new AddressVector(domain, a, context));
    if (a.name) {
        const int failed = SharedAddresses::open(a.name, domain.engine().interface().name,
                                                 domain.family(), !av->read_only_, av->shared_);
        if (failed) return failed;
        a.map_addr = av->shared_->map_address();
        const Owned own(domain.engine());
        av->refresh();
    }
    *out = &av.release()->face_;
    return 0;
}

int AddressVector::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int AddressVector::bind(fid* handle, uint64_t flags) {
    if (handle->fclass != FI_CLASS_EQ) return -FI_EINVAL;
    if (flags) return -FI_EBADFLAGS;
    if (eq_) return -FI_EINVAL;
    eq_ = Use<EventQueue>(object_of<EventQueue>(handle));
    return 0;
}

int AddressVector::check_insert(uint64_t flags, const void* context) const {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (flags & ~(FI_MORE | FI_SYNC_ERR | FI_AV_USER_ID)) return -FI_EBADFLAGS;
    if (read_only_) return -FI_EINVAL;
    if ((flags & FI_SYNC_ERR) && !context) return -FI_EINVAL;
    if (!asynchronous_) return 0;
    if (!eq_) return -FI_ENOEQ;
    return flags & FI_SYNC_ERR ? -FI_EBADFLAGS : 0;
}

int AddressVector::insert(const void* addr, size_t count, fi_addr_t* out, uint64_t flags,
                          void* context) {
    if (const int failed = check_insert(flags, context)) return failed;
    if (count > 0 && !addr) return -FI_EINVAL;
    // All entries have the size of the domain's format, whatever they hold.
    const size_t stride = sockaddr_bytes(domain_->family());
    std::vector<wire::Address> all;
    all.reserve(count);
    for (size_t i = 0; i < count; ++i)
        all.push_back(read_sockaddr(static_cast<const char*>(addr) + i * stride, stride));
    return insert_all(all, out, flags, context);
}

int AddressVector::insert_names(const char* node, size_t nodes, const char* service,
                                size_t services, fi_addr_t* out, uint64_t flags, void* context) {
    if (const int failed = check_insert(flags, context)) return failed;
    std::vector<wire::Address> all;
    const int failed = expand_names(node, nodes, service, services, domain_->family(), all);
    return failed ? failed : insert_all(all, out, flags, context);
}

bool AddressVector::refresh() {
    if (!shared_) return false;
    const size_t before = peers_->size();
    rdm::SourceId id;
    while (peers_->size() < shared_->size())
        if (!is_ok(peers_->insert(shared_->at(static_cast<uint32_t>(peers_->size())), id))) break;
    return peers_->size() > before;
}

// With the engine owned.
int AddressVector::insert_one(const wire::Address& address, rdm::SourceId& id) {
    if (!shared_) return result_of(peers_->insert(address, id));
    const SharedAddresses::Writing writing(*shared_);
    refresh();
    if (peers_->find(address) == rdm::kUnknownSource && !shared_->append(address))
        return -FI_ENOSPC;
    return result_of(peers_->insert(address, id));
}

void AddressVector::set_user_id(rdm::SourceId id, fi_addr_t user_id) {
    const Owned own(domain_->engine());
    user_ids_[id] = user_id;
}

fi_addr_t AddressVector::user_id(fi_addr_t source) const {
    const auto found = user_ids_.find(source);
    return found == user_ids_.end() ? source : found->second;
}

int AddressVector::insert_all(const std::vector<wire::Address>& all, fi_addr_t* out, uint64_t flags,
                              void* context) {
    if ((flags & FI_AV_USER_ID) && !out) return -FI_EINVAL;
    int inserted = 0;
    for (size_t i = 0; i < all.size(); ++i) {
        rdm::SourceId id = FI_ADDR_NOTAVAIL;
        int failed = -FI_EADDRNOTAVAIL;
        if (all[i].family == domain_->family() && all[i].port != 0 && !is_wildcard(all[i])) {
            const Owned own(domain_->engine());
            failed = insert_one(all[i], id);
        } else {
            warn(FI_LOG_AV, "cannot insert " +
                                (all[i].valid() ? address_text(all[i]) : "what is no IP address") +
                                ": expected a host's address and port of the domain's family");
        }
        if (!failed && (flags & FI_AV_USER_ID)) set_user_id(id, out[i]);
        if (out) out[i] = failed ? FI_ADDR_NOTAVAIL : id;
        inserted += failed ? 0 : 1;
        if (failed || (flags & FI_SYNC_ERR)) report_failure(i, -failed, flags, context);
    }
    if (!asynchronous_) return inserted;
    eq_->report(FI_AV_COMPLETE, fi_eq_entry{.fid = &face_.fid,
                                            .context = context,
                                            .data = static_cast<uint64_t>(inserted)});
    return 0;
}

void AddressVector::report_failure(size_t index, int code, uint64_t flags, void* context) {
    if (flags & FI_SYNC_ERR) static_cast<int*>(context)[index] = code;
    if (!asynchronous_) return;
    fi_eq_err_entry entry{};
    entry.fid = &face_.fid;
    entry.context = context;
    entry.data = index;
    entry.err = code;
    entry.prov_errno = code;
    eq_->report(FI_AV_COMPLETE, entry);
}

int AddressVector::remove(const fi_addr_t* addr, size_t count, uint64_t flags) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (flags) return -FI_EBADFLAGS;
    // Others may be using it, and the index must not come to mean anything else for them.
    if (shared_) return -FI_EOPNOTSUPP;
    const Owned own(domain_->engine());
    int result = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!is_ok(peers_->remove(addr[i]))) result = -FI_EINVAL;
        if (!peers_->lookup(addr[i])) user_ids_.erase(addr[i]);
    }
    return result;
}

int AddressVector::lookup(fi_addr_t addr, void* buf, size_t* len) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    const Owned own(domain_->engine());
    const wire::Address* found = peers_->lookup(addr);
    if (!found && refresh()) found = peers_->lookup(addr);
    if (!found) return -FI_EINVAL;
    // What does not fit is cut off, and `len` tells: fi_av(3) has no error for that.
    static_cast<void>(write_sockaddr(*found, buf, len));
    return 0;
}

} // namespace rill::fi
