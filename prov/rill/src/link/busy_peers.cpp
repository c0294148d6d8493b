// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/busy_peers.hpp"

#include <string>
#include <utility>

namespace rill::link {

bool BusyPeers::count(Slot& slot, const wire::Address& to, const SocketConfig& config) {
    if (refused_) return false;
    if (slot.candidate != to) {
        slot.candidate = to;
        slot.run = 0;
    }
    if (++slot.run < kRun) return false;
    slot.candidate = {};
    UdpSocket socket;
    std::string error; // of no interest: the data port serves as well
    if (!is_ok(socket.open(config, error)) || !socket.connect(to)) {
        refused_ = true;
        return false;
    }
    slot.socket = std::move(socket);
    slot.to = to;
    return true;
}

} // namespace rill::link
