// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <atomic>
#include <cstdint>

namespace rill::fi {

// Tells a process from a forked child of it. Objects remember the mark of the process that opened
// them; in a child it differs, and every inherited object answers an error: the sockets and the
// peers' view of them belong to the parent.
class ProcessMark {
public:
    // Once, before any object is opened.
    static void install();

    // A mark for an object that is being opened.
    static ProcessMark current();
    bool is_ours() const { return page_->load(std::memory_order_relaxed) == value_; }

private:
    explicit ProcessMark(uint64_t value) : value_(value) {}

    // On a page of its own that the kernel clears in a child (MADV_WIPEONFORK): one load tells,
    // and also after a bare clone(2) that runs no handlers.
    static std::atomic<uint64_t>* page_;

    uint64_t value_;
};

} // namespace rill::fi
