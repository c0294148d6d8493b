// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/path.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rill::transport {

// What a context keeps where one of the two devices has several addresses: the peer's, which paths
// are used, and where what carries no records goes.
struct Ways {
    // Brings `usable` up to date with the health of the paths. Of pairs of addresses only those
    // that add an address of either side to the ones before: four links in one network make
    // sixteen pairs, of which four fill them all and the rest takes over when one fails.
    void choose_usable(std::span<const std::unique_ptr<Path>> paths);
    // Something authentic came from there: answers go back the same way, for it works.
    void note_arrival(std::span<const std::unique_ptr<Path>> paths, uint8_t nic,
                      const wire::Address& from);

    std::vector<wire::Address> remotes; // the peer's data ports, that of its hello first
    std::vector<uint16_t> usable;       // paths, the first of every pair before further entropies
    size_t pairs = 0;                   // of them
    uint16_t reply = 0;                 // path of what carries no records
    uint8_t reply_nic = 0;
    uint16_t ack_port = 0;    // entropy of acknowledgements that go by themselves
    uint16_t answer_port = 0; // of the next of them, if not 0: it answers a probe
    uint16_t next_port = 1;   // entropy that is tried next
    Duration search_after{};  // no other port is tried before that
    bool heard = false;       // the peer's addresses have come
    uint8_t heard_count = 0;
    wire::Address reply_from;
    Instant announce_at = kNever; // our addresses, until the peer says that it has them
    Duration announce_after{};
};

} // namespace rill::transport
