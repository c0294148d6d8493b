// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Addresses from users: text, and socket addresses of any length. What is taken comes back when it
// is written again.
#include "fi/address.hpp"
#include "link/sockaddr.hpp"
#include "test/fuzz/input.hpp"

#include <vector>

using namespace rill;
using fuzz::expect;

namespace {

void read_text(std::string_view text) {
    wire::Address a;
    if (!link::parse_host(std::string(text), a)) return;
    expect(a.valid() && a.port == 0, "a host has a family and no port");
    wire::Address again;
    expect(link::parse_host(link::host_text(a), again) && again == a, "a host survives as text");
}

void read_socket_address(std::span<const uint8_t> bytes) {
    // A copy of its own, so that a read beyond the end is seen.
    const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
    const wire::Address a = fi::read_sockaddr(copy.data(), copy.size());
    if (!a.valid()) return;
    std::vector<uint8_t> written(fi::sockaddr_bytes(a.family));
    size_t n = written.size();
    expect(fi::write_sockaddr(a, written.data(), &n), "there is room for it");
    expect(fi::read_sockaddr(written.data(), n) == a, "a socket address survives");
    for (size_t room = 0; room < n; ++room) {
        std::vector<uint8_t> less(room);
        size_t needed = room;
        expect(!fi::write_sockaddr(a, less.data(), &needed) && needed == n,
               "with too little room, what is needed is said");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input in(data, size);
    if (in.byte() & 1)
        read_text(in.text());
    else
        read_socket_address(in.bytes(size));
    return 0;
}
