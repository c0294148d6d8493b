// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/seq.hpp"
#include "util/siphash.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"
#include "wire/packet.hpp"

#include <cstdint>

namespace rill::transport {

// Everything that a stranger must not be able to guess, from one secret and a counter: nothing here
// needs a source of randomness, so a run can be replayed.
class Secrets {
public:
    explicit Secrets(const SipKey& key) : key_(key) {}

    // Of the device as it is after so many resets.
    wire::DeviceId device_id(uint32_t resets) const;
    uint64_t token() { return draw(Use::token, ++drawn_); }
    Psn first_psn() { return Psn(static_cast<uint32_t>(draw(Use::psn, ++drawn_))); }

    // The cookie of an opening: proves, without state kept here, that its sender listens where it
    // claims. `from` is the sender's host and data port, which all its paths share.
    uint64_t cookie(const wire::Address& from, const wire::Hello& hello, Instant now) const {
        return cookie_in(from, hello, slot(now));
    }
    // Valid in its own time slot and the next.
    bool valid(const wire::Address& from, const wire::Hello& hello, Instant now) const {
        return hello.cookie == cookie_in(from, hello, slot(now)) ||
               hello.cookie == cookie_in(from, hello, slot(now) - 1);
    }

private:
    enum class Use : uint64_t { token = 1, psn, device, cookie };
    static int64_t slot(Instant now);
    uint64_t draw(Use use, uint64_t number) const;
    uint64_t cookie_in(const wire::Address& from, const wire::Hello& hello, int64_t slot) const;

    SipKey key_;
    uint64_t drawn_ = 0;
};

} // namespace rill::transport
