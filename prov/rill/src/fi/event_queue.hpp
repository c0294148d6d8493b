// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/fabric.hpp"
#include "fi/wait_set.hpp"

#include <deque>
#include <mutex>
#include <vector>

namespace rill::fi {

// Control events: those that the program writes, and the outcome of asynchronous insertions.
class EventQueue final : public Waitable {
public:
    using Fid = fid_eq;

    static int open(Fabric& fabric, const fi_eq_attr* attr, fid_eq** out, void* context);

    int close();
    int control(int command, void* arg);
    ssize_t read(uint32_t* event, void* buf, size_t len, uint64_t flags);
    ssize_t read_error(fi_eq_err_entry* buf, uint64_t flags);
    ssize_t write(uint32_t event, const void* buf, size_t len);
    ssize_t wait_and_read(uint32_t* event, void* buf, size_t len, int timeout_ms, uint64_t flags);
    int try_wait() override;
    // An event of our own, for which there is always room.
    void report(uint32_t event, const fi_eq_entry& entry);
    void report(uint32_t event, const fi_eq_err_entry& entry);

    Uses uses;

private:
    struct Event {
        uint32_t event = 0;
        bool is_error = false;
        std::vector<std::byte> data;
    };

    EventQueue(Fabric& fabric, const fi_eq_attr& attr, void* context);
    void push(uint32_t event, bool is_error, const void* data, size_t bytes);
    void pop();

    Face<fid_eq, EventQueue> face_{};
    Use<Fabric> fabric_;
    const bool writable_;
    const size_t size_;
    Waker wake_; // readable while there are events, if it is not a set's
    std::mutex mutex_;
    std::deque<Event> events_;
};

} // namespace rill::fi
