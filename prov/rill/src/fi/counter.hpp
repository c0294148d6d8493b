// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/domain.hpp"
#include "fi/trigger.hpp"
#include "fi/wait_object.hpp"
#include "rdm/request.hpp"

#include <memory>

namespace rill::fi {

// Counts the operations of what it is bound to, good and failed ones apart. Its values belong to
// the owner of the engine, as all that counts them does.
class Counter final : public rdm::EventCounter, public Waitable {
public:
    using Fid = fid_cntr;

    static int open(Domain& domain, const fi_cntr_attr* attr, fid_cntr** out, void* context);

    int close();
    int control(int command, void* arg);
    uint64_t read();
    uint64_t read_error();
    int add(uint64_t value);
    int set(uint64_t value);
    int add_error(uint64_t value);
    int set_error(uint64_t value);
    // 0: reached; -FI_EAVAIL: an operation failed meanwhile; -FI_ETIMEDOUT. Without a wait object
    // too, which the manual page does not ask for but programs do; -FI_ENOSYS: in a wait set.
    int wait(uint64_t threshold, int timeout_ms);
    int try_wait() override;
    Domain& domain() { return *domain_; }
    // Starts an operation when this counter reaches the threshold, with the engine owned.
    void add_trigger(uint64_t threshold, std::unique_ptr<Trigger> trigger);

    // rdm::EventCounter, with the engine owned.
    void count(Status status) override;
    // For poll sets, with the engine owned: whether it has changed since it was asked or set last.
    bool poll();

    Uses uses;

private:
    Counter(Domain& domain, void* context);
    void changed();
    uint64_t look(const uint64_t& value, uint64_t& seen);
    template <class Change>
    int change(Change&& change);

    Face<fid_cntr, Counter> face_{};
    Use<Domain> domain_;
    WaitObject wait_;
    uint64_t value_ = 0;
    uint64_t errors_ = 0;
    // What the program read last: an unchanged value makes the next read run the device.
    uint64_t seen_value_ = 0;
    uint64_t seen_errors_ = 0;
    uint64_t polled_value_ = 0;
    uint64_t polled_errors_ = 0;
    uint32_t reads_without_pass_ = 0;
};

} // namespace rill::fi
