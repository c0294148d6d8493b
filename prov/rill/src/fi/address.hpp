// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Addresses as libfabric's users see them: socket addresses.

#include "wire/address.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace rill::fi {

uint32_t format_of(wire::Family family); // FI_SOCKADDR_IN, FI_SOCKADDR_IN6
// The family that a format asks for; none: either. False when the format is not ours.
[[nodiscard]] bool family_of(uint32_t format, wire::Family& out);
size_t sockaddr_bytes(wire::Family family);

// Reads the socket address at `in`, whose length follows from its family. Family::none when it is
// not an IP address, or longer than `limit_bytes`.
wire::Address read_sockaddr(const void* in, size_t limit_bytes = SIZE_MAX);
// Copies to a user's buffer as fi_getname does: as much as fits, `len` becomes the full size.
// False when it did not fit.
[[nodiscard]] bool write_sockaddr(const wire::Address& address, void* buf, size_t* len);
// A copy on the C heap, for fi_info; null when there is no memory.
void* new_sockaddr(const wire::Address& address);

bool is_wildcard(const wire::Address& address); // 0.0.0.0, ::
// "fi_sockaddr_in://192.0.2.1:7471"
std::string address_text(const wire::Address& address);

} // namespace rill::fi
