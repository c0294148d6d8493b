// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/event_queue.hpp"

#include "fi/housekeeper.hpp"
#include "fi/log.hpp"
#include "link/clock.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

namespace rill::fi {

namespace {

constexpr size_t kDefaultSize = 1024;

EventQueue& eq_of(fid_eq* handle) {
    return object_of<EventQueue>(handle);
}

int close_entry(fid* handle) {
    return object_of<EventQueue>(handle).close();
}

int control_entry(fid* handle, int command, void* arg) {
    return object_of<EventQueue>(handle).control(command, arg);
}

ssize_t read_entry(fid_eq* eq, uint32_t* event, void* buf, size_t len, uint64_t flags) {
    return guarded([&] { return eq_of(eq).read(event, buf, len, flags); });
}

ssize_t readerr_entry(fid_eq* eq, fi_eq_err_entry* buf, uint64_t flags) {
    return guarded([&] { return eq_of(eq).read_error(buf, flags); });
}

ssize_t write_entry(fid_eq* eq, uint32_t event, const void* buf, size_t len, uint64_t flags) {
    if (flags) return -FI_EBADFLAGS;
    return guarded([&] { return eq_of(eq).write(event, buf, len); });
}

ssize_t sread_entry(fid_eq* eq, uint32_t* event, void* buf, size_t len, int timeout,
                    uint64_t flags) {
    return guarded([&] { return eq_of(eq).wait_and_read(event, buf, len, timeout, flags); });
}

const char* strerror_entry(fid_eq*, int prov_errno, const void*, char* buf, size_t len) {
    const char* text = fi_strerror(prov_errno);
    if (buf && len) std::snprintf(buf, len, "%s", text);
    return text;
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = no_sys,
    .control = control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_eq eq_ops = {
    .size = sizeof(fi_ops_eq),
    .read = read_entry,
    .readerr = readerr_entry,
    .write = write_entry,
    .sread = sread_entry,
    .strerror = strerror_entry,
};

} // namespace

EventQueue::EventQueue(Fabric& fabric, const fi_eq_attr& attr, void* context)
    : fabric_(fabric), writable_(attr.flags & FI_WRITE),
      size_(attr.size ? attr.size : kDefaultSize), wake_(*this) {
    set_face(face_, this, FI_CLASS_EQ, context, fid_ops);
    face_.ops = &eq_ops;
}

int EventQueue::open(Fabric& fabric, const fi_eq_attr* attr, fid_eq** out, void* context) {
    const fi_eq_attr none{};
    const fi_eq_attr& a = attr ? *attr : none;
    if (a.flags & ~(FI_WRITE | FI_AFFINITY)) return -FI_EBADFLAGS;
    std::unique_ptr<EventQueue> eq(new EventQueue(fabric, a, context));
    if (const int failed = eq->wake_.open(a.wait_obj, a.wait_set, FI_LOG_EQ)) return failed;
    *out = &eq.release()->face_;
    return 0;
}

int EventQueue::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int EventQueue::control(int command, void* arg) {
    return wake_.control(command, arg);
}

ssize_t EventQueue::read(uint32_t* event, void* buf, size_t len, uint64_t flags) {
    if (!fabric_->is_ours()) return -FI_EOPBADSTATE;
    if (flags & ~FI_PEEK) return -FI_EBADFLAGS;
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return -FI_EAGAIN;
    const Event& e = events_.front();
    if (e.is_error) return -FI_EAVAIL;
    if (buf && len < e.data.size()) return -FI_ETOOSMALL;
    const auto bytes = buf ? static_cast<ssize_t>(e.data.size()) : 0;
    if (event) *event = e.event;
    if (buf) std::copy(e.data.begin(), e.data.end(), static_cast<std::byte*>(buf));
    if (!(flags & FI_PEEK)) pop();
    return bytes;
}

ssize_t EventQueue::read_error(fi_eq_err_entry* buf, uint64_t flags) {
    if (!fabric_->is_ours()) return -FI_EOPBADSTATE;
    if (flags & ~FI_PEEK) return -FI_EBADFLAGS;
    const std::lock_guard lock(mutex_);
    if (events_.empty() || !events_.front().is_error) return -FI_EAGAIN;
    // A buffer that the caller offers for details gets nothing, and stays its own.
    void* const details = buf->err_data_size ? buf->err_data : nullptr;
    std::memcpy(buf, events_.front().data.data(), sizeof *buf);
    buf->err_data = details;
    if (!(flags & FI_PEEK)) pop();
    return sizeof *buf;
}

ssize_t EventQueue::write(uint32_t event, const void* buf, size_t len) {
    if (!fabric_->is_ours()) return -FI_EOPBADSTATE;
    if (!writable_) {
        inform(FI_LOG_EQ, "fi_eq_write on an event queue that was opened without FI_WRITE");
        return -FI_EINVAL;
    }
    const std::lock_guard lock(mutex_);
    if (events_.size() >= size_) return -FI_EAGAIN;
    push(event, false, buf, len);
    return static_cast<ssize_t>(len);
}

ssize_t EventQueue::wait_and_read(uint32_t* event, void* buf, size_t len, int timeout_ms,
                                  uint64_t flags) {
    if (!wake_.can_block()) return -FI_ENOSYS;
    const Instant until =
        timeout_ms < 0 ? kNever : link::monotonic_now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
        const ssize_t got = read(event, buf, len, flags);
        if (got != -FI_EAGAIN || link::monotonic_now() >= until) return got;
        pollfd on{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
        sleep_on({&on, 1}, until);
    }
}

int EventQueue::try_wait() {
    if (!fabric_->is_ours()) return -FI_EOPBADSTATE;
    if (!wake_.exists()) return -FI_EINVAL;
    const std::lock_guard lock(mutex_);
    return events_.empty() ? 0 : -FI_EAGAIN;
}

void EventQueue::report(uint32_t event, const fi_eq_entry& entry) {
    const std::lock_guard lock(mutex_);
    push(event, false, &entry, sizeof entry);
}

void EventQueue::report(uint32_t event, const fi_eq_err_entry& entry) {
    const std::lock_guard lock(mutex_);
    push(event, true, &entry, sizeof entry);
}

void EventQueue::push(uint32_t event, bool is_error, const void* data, size_t bytes) {
    const auto* from = static_cast<const std::byte*>(data);
    events_.push_back({event, is_error, {from, from + bytes}});
    if (events_.size() == 1) wake_.raise();
}

void EventQueue::pop() {
    events_.pop_front();
    if (events_.empty()) wake_.clear();
}

} // namespace rill::fi
