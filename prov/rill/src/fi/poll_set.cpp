// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/poll_set.hpp"

#include <algorithm>
#include <memory>

namespace rill::fi {

namespace {

int close_entry(fid* handle) {
    return guarded([&] { return object_of<PollSet>(handle).close(); });
}

int poll_entry(fid_poll* handle, void** contexts, int count) {
    return guarded([&] { return object_of<PollSet>(handle).poll(contexts, count); });
}

int add_entry(fid_poll* handle, fid* what, uint64_t flags) {
    return guarded([&] { return object_of<PollSet>(handle).add(what, flags); });
}

int del_entry(fid_poll* handle, fid* what, uint64_t flags) {
    return guarded([&] { return object_of<PollSet>(handle).remove(what, flags); });
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

fi_ops_poll poll_ops = {
    .size = sizeof(fi_ops_poll),
    .poll = poll_entry,
    .poll_add = add_entry,
    .poll_del = del_entry,
};

} // namespace

PollSet::PollSet(Domain& domain) : domain_(domain) {
    set_face(face_, this, FI_CLASS_POLL, nullptr, fid_ops);
    face_.ops = &poll_ops;
}

int PollSet::open(Domain& domain, const fi_poll_attr* attr, fid_poll** out) {
    if (attr && attr->flags) return -FI_EBADFLAGS;
    *out = &(new PollSet(domain))->face_;
    return 0;
}

int PollSet::close() {
    delete this;
    return 0;
}

int PollSet::check(const fid* handle, uint64_t flags) const {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (flags) return -FI_EBADFLAGS;
    return handle->fclass == FI_CLASS_CQ || handle->fclass == FI_CLASS_CNTR ? 0 : -FI_EINVAL;
}

int PollSet::add(fid* handle, uint64_t flags) {
    if (const int failed = check(handle, flags)) return failed;
    Member member;
    member.handle = handle;
    const Domain* home = nullptr;
    if (handle->fclass == FI_CLASS_CQ) {
        CompletionQueue& queue = object_of<CompletionQueue>(handle);
        home = &queue.domain();
        member.object = Use<CompletionQueue>(queue);
    } else {
        Counter& counter = object_of<Counter>(handle);
        home = &counter.domain();
        member.object = Use<Counter>(counter);
    }
    if (home != domain_.get()) return -FI_EINVAL;
    const std::lock_guard lock(mutex_);
    for (const Member& m : members_)
        if (m.handle == handle) return -FI_EINVAL;
    members_.push_back(std::move(member));
    return 0;
}

int PollSet::remove(fid* handle, uint64_t flags) {
    if (const int failed = check(handle, flags)) return failed;
    const std::lock_guard lock(mutex_);
    return std::erase_if(members_, [&](const Member& m) { return m.handle == handle; })
               ? 0
               : -FI_EINVAL;
}

int PollSet::poll(void** contexts, int count) {
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    if (count < 0) return -FI_EINVAL;
    Polling polling;
    const std::lock_guard lock(mutex_);
    const Owned own(engine);
    polling.pass(engine);
    int found = 0;
    for (Member& m : members_) {
        if (found == count) break;
        const bool has_events = std::visit([](auto& object) { return object->poll(); }, m.object);
        if (has_events) contexts[found++] = m.handle->context;
    }
    return found;
}

} // namespace rill::fi
