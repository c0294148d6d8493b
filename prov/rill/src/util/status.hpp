// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace rill {

// Outcome of everything below the C edge. Values travel on the wire in coded acknowledgements
// (wire::Done::status): append only, never renumber.
enum class Status : uint8_t {
    ok = 0,
    again = 1, // a bounded queue is full, or the kernel would block: try later
    no_memory = 2,
    invalid = 3,  // an argument or a packet that breaks the rules
    too_long = 4, // over a size limit (message, datagram, inject)
    not_found = 5,
    busy = 6,        // still in use
    unreachable = 7, // the peer never answered
    dead = 8,        // the peer answered once and is silent now
    gone = 9,        // the peer took leave
    truncated = 10,  // the receive buffer was shorter than the message
    canceled = 11,
    no_queue_pair = 12, // the destination endpoint does not exist
    aborted = 13,       // the other side dropped the operation (its endpoint closed)
    overrun = 14,       // a completion queue had no room
    bad_key = 15,
    bad_range = 16,
    unsupported = 17,
    io_error = 18,
    address_in_use = 19,
    bad_access = 20,  // the memory region does not allow that kind of access
    bad_address = 21, // memory that is not mapped, or read-only
};

constexpr bool is_ok(Status s) {
    return s == Status::ok;
}

const char* to_string(Status s);

} // namespace rill
