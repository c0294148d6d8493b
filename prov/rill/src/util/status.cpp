// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/status.hpp"

namespace rill {

const char* to_string(Status s) {
    switch (s) {
    case Status::ok: return "ok";
    case Status::again: return "try again";
    case Status::no_memory: return "out of memory";
    case Status::invalid: return "invalid";
    case Status::too_long: return "too long";
    case Status::not_found: return "not found";
    case Status::busy: return "busy";
    case Status::unreachable: return "peer unreachable: it never answered";
    case Status::dead: return "peer dead: it answered before and is silent now";
    case Status::gone: return "peer gone: it took leave";
    case Status::truncated: return "message longer than the receive buffer";
    case Status::canceled: return "canceled";
    case Status::no_queue_pair: return "no such endpoint at the peer";
    case Status::aborted: return "the other side dropped the operation";
    case Status::overrun: return "completion queue overrun";
    case Status::bad_key: return "bad memory key";
    case Status::bad_range: return "address range outside the memory region";
    case Status::unsupported: return "unsupported";
    case Status::io_error: return "input/output error";
    case Status::address_in_use: return "address in use";
    case Status::bad_access: return "access that the memory region does not allow";
    case Status::bad_address: return "memory not mapped, or read-only";
    }
    return "unknown status";
}

} // namespace rill
