// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/list.hpp"
#include "util/status.hpp"
#include "wire/packet.hpp"

#include <cstdint>

namespace rill::transport {

class Context;
struct PeerTag;

// A device that we have heard from: the far end of one or more contexts.
struct Peer {
    wire::DeviceId device{};
    uint32_t ordinal = 0; // dense, never reused while the transport lives
    // Where new work goes; null when dead, gone or evicted. Transport::way_to() brings it back.
    Context* preferred = nullptr;
    uint32_t evicted = 0;            // id of the only context, while that is evicted
    Status ended = Status::ok;       // dead or gone: why there is no context
    List<Context, PeerTag> contexts; // written by the transport only
};

} // namespace rill::transport
