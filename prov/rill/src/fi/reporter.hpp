// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/address_vector.hpp"
#include "fi/completion_queue.hpp"
#include "fi/counter.hpp"
#include "rdm/request.hpp"

#include <cstddef>

namespace rill::fi {

// Where one side of an endpoint reports: to its completion queue what is meant for one, and to the
// counter of its direction every operation, reported or not.
class Reporter final : public rdm::CompletionSink {
public:
    // Directions of operations that may have counters of their own, by fi_ep_bind's flags.
    static constexpr uint64_t kDirections =
        FI_SEND | FI_RECV | FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
    static constexpr size_t kDirectionCount = 6;

    bool has_queue() const { return bool(queue_); }
    // Whether any of these directions has one.
    bool has_counter(uint64_t directions) const;
    bool has_counters() const { return counts_; }
    // Whether anybody learns of anything.
    bool is_bound() const { return queue_ || counts_; }

    // By whose names sources are told.
    void bind(const AddressVector& names) { names_ = &names; }
    // Once; a counter once for each direction.
    void bind(CompletionQueue& queue) { queue_ = Use<CompletionQueue>(queue); }
    void bind(Counter& counter, uint64_t directions);

    // rdm::CompletionSink, with the engine owned.
    void complete(const rdm::Completion& c) override;
    // To the queue alone.
    void write(const rdm::Completion& c);
    bool has_room() const override { return !queue_ || queue_->has_room(); }

private:
    const AddressVector* names_ = nullptr;
    Use<CompletionQueue> queue_;
    bool counts_ = false;
    Use<Counter> counters_[kDirectionCount];
};

} // namespace rill::fi
