// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/shm/channel.hpp"
#include "wire/address.hpp"

namespace rill::link::shm {

// How two devices of one host find each other: by a Unix socket with an abstract name made of the
// data address. Such names belong to a network namespace, as the address does, and leave nothing
// behind. Who connects brings the memory; both see that the other runs under their own user.
//
//     connector                      acceptor
//        | -- connect ------------------> |
//        | -- offer: address, memfd ----> | maps it, may send
//        | <------------------- answer -- |
//        | may send                       |

// Listens under the name of `own`; empty when it cannot be had.
Fd listen_as(const wire::Address& own);
// Empty when nobody of our user listens there (another host, another namespace, switched off).
Fd connect_to(const wire::Address& peer);
// The next one that wants to connect; empty when there is none, or it is another user's.
Fd accept_from(const Fd& listener);

enum class Talk { done, nothing_yet, failed };
[[nodiscard]] bool send_offer(const Fd& socket, const wire::Address& own, const Fd& memory);
[[nodiscard]] Talk receive_offer(const Fd& socket, wire::Address& peer, Fd& memory);
[[nodiscard]] bool send_answer(const Fd& socket);
[[nodiscard]] Talk receive_answer(const Fd& socket);

} // namespace rill::link::shm
