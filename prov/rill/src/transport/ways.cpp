// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/ways.hpp"

#include "wire/packet.hpp"

namespace rill::transport {
namespace {
static_assert(wire::kAddressesMax <= 8, "a pair of addresses is a bit of 64");

uint64_t bit_of(const Path& p) {
    return uint64_t{1} << (p.way.nic * 8 + p.way.remote);
}

static_assert(kPathsMax <= 64, "a path is a bit of 64");
} // namespace

void Ways::choose_usable(std::span<const std::unique_ptr<Path>> paths) {
    uint32_t nics = 0;
    uint32_t reached = 0;
    uint64_t taken = 0;
    usable.clear();
    uint64_t first = 0;
    for (uint16_t i = 0; i < paths.size(); ++i) {
        const Path& p = *paths[i];
        const uint32_t nic = 1u << p.way.nic;
        const uint32_t remote = 1u << p.way.remote;
        if (!p.health.up() || ((nics & nic) && (reached & remote))) continue;
        first |= uint64_t{1} << i;
        nics |= nic;
        reached |= remote;
        taken |= bit_of(p);
        usable.push_back(i);
    }
    pairs = usable.size();
    for (uint16_t i = 0; i < paths.size(); ++i)
        if (!(first >> i & 1) && paths[i]->health.up() && (taken & bit_of(*paths[i])))
            usable.push_back(i);
}

void Ways::note_arrival(std::span<const std::unique_ptr<Path>> paths, uint8_t nic,
                        const wire::Address& from) {
    if (nic == reply_nic && from.same_host(reply_from)) return;
    reply_nic = nic;
    reply_from = from;
    for (uint16_t i = 0; i < paths.size(); ++i) {
        const Path& p = *paths[i];
        if (p.way.entropy != 0 || p.way.nic != nic || !remotes[p.way.remote].same_host(from))
            continue;
        reply = i;
        return;
    }
}

} // namespace rill::transport
