// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "sim/coverage.hpp"
#include "sim/events.hpp"
#include "sim/host.hpp"
#include "sim/journal.hpp"
#include "sim/network.hpp"
#include "sim/oracle.hpp"
#include "sim/profile.hpp"
#include "sim/workload.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rill::sim {

// What runs add up to. Numbers only: it travels through a pipe.
struct Totals {
    uint64_t seeds = 0;
    uint64_t failed = 0;
    uint64_t messages = 0; // received
    uint64_t remote_operations = 0;
    uint64_t bytes = 0;
    uint64_t errors = 0; // operations that ended with one, for a reason
    uint64_t stalls = 0;
    uint64_t crashes = 0;
    uint64_t leaves = 0;
    uint64_t closes = 0;
    uint64_t resets = 0;
    uint64_t shrinks = 0;
    uint64_t retransmits = 0;
    uint64_t timeouts = 0;
    uint64_t probes = 0;
    uint64_t spurious = 0;
    uint64_t refused_bytes = 0;
    uint64_t evicted = 0; // contexts
    uint64_t revived = 0;
    uint64_t virtual_ms = 0;
    PacketCounts packets;
    Coverage coverage;

    void add(const Totals& o);
};

struct RunResult {
    uint64_t hash = 0;
    Totals totals;
    std::vector<std::string> failures;
};

// A cluster from its profile, and the story of its run: work under faults, healing, and the end of
// every operation, every endpoint and every host.
class World final : public EventHandler {
public:
    World(const Profile& profile, bool verbose);

    RunResult run();

    void fire(uint64_t argument) override;

private:
    enum Argument : uint64_t { kTick, kFirstFault = 1000, kFirstName = 1000000 };

    void build_hosts();
    void name_everybody();
    void name(uint32_t host, uint32_t endpoint);
    void schedule_faults();
    void strike(const Fault& fault);
    void end_host(uint32_t host, bool crashed, bool left);
    void advance(Duration by);
    void work();
    void wait_for_programs();
    void work_after_resets();
    void drain();
    bool settled();
    void wait_for_deaths();
    void cancel_leftovers();
    void rest();
    void check_memory();
    void check_idle();
    void leave_all();
    RunResult result();
    void cover();
    bool busy_with_death() const;

    Profile profile_;
    EventQueue events_;
    Journal journal_;
    Network network_;
    Oracle oracle_;
    Prng random_;
    Totals totals_;
    std::vector<std::unique_ptr<Host>> hosts_;
    std::vector<std::unique_ptr<Program>> programs_; // by endpoint
    std::vector<std::pair<uint32_t, uint32_t>> late_names_;
    size_t faults_left_ = 0;
    bool ticked_ = false;
};

RunResult run_seed(uint64_t seed, bool verbose);

} // namespace rill::sim
