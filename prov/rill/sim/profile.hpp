// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "sim/stack.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rill::sim {

// How bad the network is. Probabilities are per packet, unless said otherwise.
struct NetworkProfile {
    uint16_t paths = 1;
    double loss = 0;
    double burst = 0; // a packet begins a time in which its path loses everything
    double duplicate = 0;
    double reorder = 0; // held back, by up to reorder_max
    double corrupt = 0;
    double truncate = 0;
    double mark = 0;      // congestion mark by chance
    double again = 0;     // per send: the kernel has no room
    double split = 0;     // per packet received: a coalesced run ends here
    double icmp_loss = 0; // per refusal
    double garbage = 0;   // per packet: a stranger sends one of its own
    double replay = 0;    // per packet: one of the past comes once more
    double broken = 0;    // per send: a part of the train leaves, then the kernel fails (EIO)
    Duration burst_max{};
    Duration reorder_max{};
    Duration delay_max{}; // of a path, drawn once
    Duration jitter{};
    double bytes_per_us = 1000; // of a link
    bool joined = false; // all links lead into one network; else the n-th of a host to the n-th
};

inline constexpr uint32_t kSimNicsMax = 4;

struct HostProfile {
    uint32_t endpoints = 1;
    uint32_t nics = 1; // links into the network
    size_t packet_bytes = 1472;
    size_t receive_buffer = 212992;
    double charge_factor = 1; // what the kernel charges over what the link says
    Duration lateness{};      // how late a wake-up can be
};

struct Fault {
    enum class Kind : uint8_t {
        stall,     // the host does not run for `length`
        kill,      // its process ends: ports refuse
        power_off, // silence
        leave,     // it closes its endpoints and takes leave
        close,     // one endpoint closes
        shrink,    // its route takes smaller packets from now on
        reset,     // its device is reset under traffic
        evict,     // it forgets all contexts that are idle at that moment
        cut,       // one link carries nothing for `length`
        deafen,    // what it sends by one link arrives nowhere for `length`
        slow,      // one link has a tenth of its rate for `length`
    };
    Kind kind = Kind::stall;
    uint32_t host = 0;
    uint32_t endpoint = 0; // of the host; or which of its links
    Duration at{};
    Duration length{};
};

struct WorkProfile {
    uint32_t actions = 20;       // of an endpoint
    Duration think{};            // mean time between two of them
    double receives_first = 0.5; // how eagerly receives are posted before their messages
    double anonymous = 0.2;      // short messages without data
    double big = 0.02;           // messages over 64 KiB
    double remote = 0;           // actions that are operations on remote memory
    double late_names = 0;       // address vector entries that come only while work is going on
    uint32_t tags = 3;
};

// Everything that a seed decides about a run before it starts.
struct Profile {
    uint64_t seed = 0;
    Instant start{};
    NetworkProfile network;
    Stack stack;
    std::vector<HostProfile> hosts;
    std::vector<Fault> faults;
    WorkProfile work;
};

Profile draw_profile(uint64_t seed);
std::string describe(const Profile& profile);

} // namespace rill::sim
