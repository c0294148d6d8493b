// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/domain.hpp"

#include "fi/address_vector.hpp"
#include "fi/atomic.hpp"
#include "fi/attributes.hpp"
#include "fi/completion_queue.hpp"
#include "fi/counter.hpp"
#include "fi/deferred_work.hpp"
#include "fi/device_operations.hpp"
#include "fi/endpoint.hpp"
#include "fi/log.hpp"
#include "fi/place.hpp"
#include "fi/poll_set.hpp"
#include "fi/registry.hpp"
#include "fi/shared_transmit.hpp"
#include "fi/traffic_class.hpp"

namespace rill::fi {

namespace {

Domain& domain_of(fid_domain* handle) {
    return object_of<Domain>(handle);
}

// Opens something in a domain, unless we are a forked child.
template <class F>
int opening(fid_domain* handle, F&& open) {
    return guarded([&] {
        Domain& domain = domain_of(handle);
        return domain.is_ours() ? open(domain) : -FI_EOPBADSTATE;
    });
}

int close_entry(fid* handle) {
    return guarded([&] { return object_of<Domain>(handle).close(); });
}

int bind_entry(fid* handle, fid* what, uint64_t flags) {
    return guarded([&] { return object_of<Domain>(handle).bind(what, flags); });
}

int av_open_entry(fid_domain* handle, fi_av_attr* attr, fid_av** out, void* context) {
    return opening(handle, [&](Domain& d) { return AddressVector::open(d, attr, out, context); });
}

int cq_open_entry(fid_domain* handle, fi_cq_attr* attr, fid_cq** out, void* context) {
    return opening(handle, [&](Domain& d) { return CompletionQueue::open(d, attr, out, context); });
}

int cntr_open_entry(fid_domain* handle, fi_cntr_attr* attr, fid_cntr** out, void* context) {
    return opening(handle, [&](Domain& d) { return Counter::open(d, attr, out, context); });
}

int poll_open_entry(fid_domain* handle, fi_poll_attr* attr, fid_poll** out) {
    return opening(handle, [&](Domain& d) { return PollSet::open(d, attr, out); });
}

int endpoint_entry(fid_domain* handle, fi_info* info, fid_ep** out, void* context) {
    return opening(handle, [&](Domain& d) { return Endpoint::open(d, *info, out, context); });
}

int endpoint2_entry(fid_domain* handle, fi_info* info, fid_ep** out, uint64_t flags,
                    void* context) {
    return flags ? -FI_EBADFLAGS : endpoint_entry(handle, info, out, context);
}

int scalable_ep_entry(fid_domain* handle, fi_info* info, fid_ep** out, void* context) {
    return opening(handle,
                   [&](Domain& d) { return Endpoint::open_scalable(d, *info, out, context); });
}

int stx_ctx_entry(fid_domain* handle, fi_tx_attr* attr, fid_stx** out, void* context) {
    return opening(handle, [&](Domain& d) { return SharedTransmit::open(d, attr, out, context); });
}

int srx_ctx_entry(fid_domain* handle, fi_rx_attr* attr, fid_ep** out, void* context) {
    return opening(handle,
                   [&](Domain& d) { return Endpoint::open_shared_receive(d, attr, out, context); });
}

int control_entry(fid* handle, int command, void* arg) {
    return guarded([&] {
        Domain& domain = object_of<Domain>(handle);
        if (!domain.is_ours()) return -FI_EOPBADSTATE;
        switch (command) {
        case FI_QUEUE_WORK: return queue_work(domain, static_cast<fi_deferred_work*>(arg));
        case FI_CANCEL_WORK: return cancel_work(domain, static_cast<fi_deferred_work*>(arg));
        case FI_MAP_RAW_MR: return map_raw_key(*static_cast<const struct fi_mr_map_raw*>(arg));
        case FI_UNMAP_KEY: return 0; // a mapped key holds nothing
        case FI_FLUSH_WORK: return flush_work(domain, static_cast<fid_cntr*>(arg));
        default: return -FI_ENOSYS;
        }
    });
}

int ops_open_entry(fid* handle, const char* name, uint64_t flags, void** out, void*) {
    return guarded([&] {
        return object_of<Domain>(handle).is_ours() ? open_device_operations(name, flags, out)
                                                   : -FI_EOPBADSTATE;
    });
}

int query_atomic_entry(fid_domain*, fi_datatype type, fi_op op, fi_atomic_attr* attr,
                       uint64_t flags) {
    return query_atomic(type, op, flags, *attr);
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = bind_entry,
    .control = control_entry,
    .ops_open = ops_open_entry,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_domain domain_ops = {
    .size = sizeof(fi_ops_domain),
    .av_open = av_open_entry,
    .cq_open = cq_open_entry,
    .endpoint = endpoint_entry,
    .scalable_ep = scalable_ep_entry,
    .cntr_open = cntr_open_entry,
    .poll_open = poll_open_entry,
    .stx_ctx = stx_ctx_entry,
    .srx_ctx = srx_ctx_entry,
    .query_atomic = query_atomic_entry,
    .query_collective = no_support,
    .endpoint2 = endpoint2_entry,
};

} // namespace

Domain::Domain(Fabric& fabric, const fi_info& info, const Place& place,
               std::unique_ptr<Engine> engine, void* context)
    : fabric_(fabric), name_(domain_name(place.interfaces)),
      traffic_class_(traffic_class_of(fabric.api_version(), info)),
      mr_mode_(info.domain_attr->mr_mode), engine_(std::move(engine)) {
    set_face(face_, this, FI_CLASS_DOMAIN, context, fid_ops);
    face_.ops = &domain_ops;
    face_.mr = &region_ops;
    Registry<Domain>::instance().add(*this);
}

Domain::~Domain() {
    Registry<Domain>::instance().remove(*this);
}

int Domain::open(Fabric& fabric, const fi_info& info, fid_domain** out, void* context) {
    if (!info.domain_attr) return -FI_EINVAL;
    if (check_hints(fabric.api_version(), &info)) return -FI_EINVAL;
    Settings settings;
    if (const int failed = read_settings(settings)) return failed;
    Place place;
    if (const int failed = find_place(nullptr, nullptr, 0, &info, settings, place)) return failed;
    if (!fabric.name().empty() && fabric.name() != network_name(place.interface)) {
        warn(FI_LOG_DOMAIN, "domain " + place.interface.name + " is not in fabric " +
                                fabric.name() + " but in " + network_name(place.interface));
        return -FI_EINVAL;
    }
    Engine::Options options;
    options.interfaces = place.interfaces;
    options.automatic = info.domain_attr->data_progress == FI_PROGRESS_AUTO;
    options.code_point = code_point_of(traffic_class_of(fabric.api_version(), info));
    options.send_depth = info.tx_attr ? info.tx_attr->size : 0;
    std::unique_ptr<Engine> engine;
    if (const int failed = Engine::open(settings, options, engine)) return failed;
    *out = &(new Domain(fabric, info, place, std::move(engine), context))->face_;
    return 0;
}

bool Domain::is_open(const fid_domain* handle) {
    return Registry<Domain>::instance().any([&](const Domain& d) { return &d.face_ == handle; });
}

bool Domain::is_open(const fid_domain* handle, const wire::Address& address) {
    return Registry<Domain>::instance().any([&](const Domain& d) {
        return &d.face_ == handle && d.engine_->interface().address == address;
    });
}

fid_domain* Domain::first_open(const char* name) {
    Domain* found =
        Registry<Domain>::instance().first([&](const Domain& d) { return d.name_ == name; });
    return found ? &found->face_ : nullptr;
}

int Domain::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int Domain::bind(fid* handle, uint64_t flags) {
    if (handle->fclass != FI_CLASS_EQ) return -FI_EINVAL;
    if (flags & ~FI_REG_MR) return -FI_EBADFLAGS;
    if (eq_) return -FI_EINVAL;
    EventQueue& eq = object_of<EventQueue>(handle);
    eq_ = Use<EventQueue>(eq);
    reports_regions_ = flags & FI_REG_MR;
    return 0;
}

} // namespace rill::fi
