// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/domain.hpp"
#include "fi/wait_object.hpp"
#include "rdm/request.hpp"
#include "util/ring.hpp"

#include <deque>

namespace rill::fi {

// Completions of the endpoints bound to it, in the order in which they came, errors among them.
// While as many wait as the program asked for room, has_room() is false and posting answers
// -FI_EAGAIN; what completes nevertheless was posted before and is kept: nothing is lost, and the
// number of operations in flight bounds the excess.
class CompletionQueue final : public rdm::CompletionSink, public Waitable {
public:
    using Fid = fid_cq;

    static int open(Domain& domain, fi_cq_attr* attr, fid_cq** out, void* context);

    int close();
    int control(int command, void* arg);
    ssize_t read(void* buf, size_t count, fi_addr_t* sources);
    ssize_t read_error(fi_cq_err_entry* buf, uint64_t flags);
    ssize_t wait_and_read(void* buf, size_t count, fi_addr_t* sources, const void* condition,
                          int timeout_ms);
    int signal();
    int try_wait() override;
    Domain& domain() { return *domain_; }

    // rdm::CompletionSink, with the engine owned.
    void complete(const rdm::Completion& c) override;
    // More than the program asked for: Open MPI 4.1 asks for 100 entries, and a post that answers
    // -FI_EAGAIN inside one of its completion callbacks makes it read the queue recursively into the
    // array that it is walking. What lies beyond the ring is bounded by this.
    bool has_room() const override { return waiting() < size_ + kOverflowMax; }

    // For poll sets, with the engine owned: whether there are entries.
    bool poll() const { return waiting() > 0; }

    Uses uses;

private:
    static constexpr size_t kOverflowMax = 65536;

    CompletionQueue(Domain& domain, const fi_cq_attr& attr, void* context);
    size_t waiting() const { return ring_.size() + overflow_.size(); }
    bool empty() const { return ring_.empty() && overflow_.empty(); }
    const rdm::Completion& front() { return ring_.empty() ? overflow_.front() : ring_.front(); }
    void pop();
    ssize_t take(void* buf, size_t count, fi_addr_t* sources);

    Face<fid_cq, CompletionQueue> face_{};
    Use<Domain> domain_;
    WaitObject wait_;
    const fi_cq_wait_cond wait_cond_;
    const size_t size_;
    const size_t entry_bytes_;
    uint32_t reads_without_pass_ = 0;
    Ring<rdm::Completion> ring_;
    std::deque<rdm::Completion> overflow_; // younger than all in the ring
};

} // namespace rill::fi
