// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/hello.hpp"

#include <cstring>

namespace rill::transport {
namespace {
// Long enough for an opener whose retransmissions have backed off to a second each.
constexpr Duration kSlot = std::chrono::seconds(8);
} // namespace

int64_t Secrets::slot(Instant now) {
    return now.time_since_epoch() / kSlot;
}

uint64_t Secrets::draw(Use use, uint64_t number) const {
    std::byte text[16];
    wire::store(wire::store(text, use), number);
    uint64_t drawn = siphash(key_, text);
    return drawn ? drawn : 1; // 0 stands for "none" on the wire
}

wire::DeviceId Secrets::device_id(uint32_t resets) const {
    const uint64_t first = uint64_t{resets} * 2;
    uint64_t halves[2] = {draw(Use::device, first), draw(Use::device, first + 1)};
    wire::DeviceId id;
    std::memcpy(id.data(), halves, sizeof halves);
    return id;
}

uint64_t Secrets::cookie_in(const wire::Address& from, const wire::Hello& hello,
                            int64_t slot) const {
    std::byte text[64];
    std::byte* at = wire::store(text, Use::cookie);
    at = wire::store(at, slot);
    at = wire::store(at, from.ip);
    at = wire::store(at, static_cast<uint32_t>(from.family));
    at = wire::store(at, static_cast<uint32_t>(from.port));
    at = wire::store(at, hello.device);
    at = wire::store(at, hello.context);
    uint64_t cookie = siphash(key_, {text, static_cast<size_t>(at - text)});
    return cookie ? cookie : 1;
}

} // namespace rill::transport
