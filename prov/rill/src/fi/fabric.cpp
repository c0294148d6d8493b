// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/fabric.hpp"

#include "fi/completion_queue.hpp"
#include "fi/counter.hpp"
#include "fi/domain.hpp"
#include "fi/event_queue.hpp"
#include "fi/log.hpp"
#include "fi/registry.hpp"
#include "fi/settings.hpp"
#include "fi/wait_set.hpp"

namespace rill::fi {

namespace {

int close_entry(fid* handle) {
    return object_of<Fabric>(handle).close();
}

int domain_entry(fid_fabric* handle, fi_info* info, fid_domain** out, void* context) {
    return guarded([&] {
        Fabric& fabric = object_of<Fabric>(handle);
        return fabric.is_ours() ? Domain::open(fabric, *info, out, context) : -FI_EOPBADSTATE;
    });
}

int domain2_entry(fid_fabric* handle, fi_info* info, fid_domain** out, uint64_t flags,
                  void* context) {
    return flags ? -FI_EBADFLAGS : domain_entry(handle, info, out, context);
}

int eq_open_entry(fid_fabric* handle, fi_eq_attr* attr, fid_eq** out, void* context) {
    return guarded([&] {
        Fabric& fabric = object_of<Fabric>(handle);
        return fabric.is_ours() ? EventQueue::open(fabric, attr, out, context) : -FI_EOPBADSTATE;
    });
}

int wait_open_entry(fid_fabric* handle, fi_wait_attr* attr, fid_wait** out) {
    return guarded([&] {
        Fabric& fabric = object_of<Fabric>(handle);
        return fabric.is_ours() ? WaitSet::open(fabric, attr, out) : -FI_EOPBADSTATE;
    });
}

int trywait_entry(fid_fabric* handle, fid** fids, int count) {
    return guarded([&] { return object_of<Fabric>(handle).try_wait(fids, count); });
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = no_sys,
    .control = no_sys,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_fabric fabric_ops = {
    .size = sizeof(fi_ops_fabric),
    .domain = domain_entry,
    .passive_ep = no_sys,
    .eq_open = eq_open_entry,
    .wait_open = wait_open_entry,
    .trywait = trywait_entry,
    .domain2 = domain2_entry,
};

} // namespace

Fabric::Fabric(const fi_fabric_attr& attr, void* context) : name_(attr.name ? attr.name : "") {
    set_face(face_, this, FI_CLASS_FABRIC, context, fid_ops);
    face_.ops = &fabric_ops;
    face_.api_version = attr.api_version;
    Registry<Fabric>::instance().add(*this);
}

Fabric::~Fabric() {
    Registry<Fabric>::instance().remove(*this);
}

int Fabric::open(const fi_fabric_attr& attr, fid_fabric** out, void* context) {
    // A wrong tunable is refused here too: a program may come without fi_getinfo's answer. The
    // name is compared when a domain is opened, where the interface is known.
    Settings settings;
    if (const int failed = read_settings(settings)) return failed;
    *out = &(new Fabric(attr, context))->face_;
    return 0;
}

bool Fabric::is_open(const fid_fabric* handle, const std::string& name) {
    return Registry<Fabric>::instance().any([&](const Fabric& f) {
        return &f.face_ == handle && (f.name_.empty() || f.name_ == name);
    });
}

fid_fabric* Fabric::first_open(const char* name) {
    Fabric* found =
        Registry<Fabric>::instance().first([&](const Fabric& f) { return f.name_ == name; });
    return found ? &found->face_ : nullptr;
}

int Fabric::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int Fabric::try_wait(fid** fids, int count) {
    const auto waitable = [](fid* handle) -> Waitable* {
        switch (handle->fclass) {
        case FI_CLASS_CQ: return &object_of<CompletionQueue>(handle);
        case FI_CLASS_CNTR: return &object_of<Counter>(handle);
        case FI_CLASS_EQ: return &object_of<EventQueue>(handle);
        case FI_CLASS_WAIT: return &object_of<WaitSet>(handle);
        default: return nullptr;
        }
    };
    if (count < 0) return -FI_EINVAL;
    for (int i = 0; i < count; ++i) {
        Waitable* object = waitable(fids[i]);
        if (!object) return -FI_EINVAL;
        if (const int busy = object->try_wait()) return busy;
    }
    return 0;
}

} // namespace rill::fi
