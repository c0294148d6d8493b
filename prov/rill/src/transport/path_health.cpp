// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/path_health.hpp"

#include "transport/outgoing.hpp"

#include <algorithm>

namespace rill::transport {
namespace {
// 3-transport: probed again after 10 ms, at most 250 ms apart; the first good probe is followed at
// once by two more.
constexpr Duration kProbeFirst = std::chrono::milliseconds(10);
constexpr Duration kProbeMax = std::chrono::milliseconds(250);
constexpr uint8_t kGoodProbes = 3;
} // namespace

void PathHealth::suspect(Instant now) {
    if (state_ != State::up) return;
    state_ = State::suspect;
    probed_ = false;
    good_ = 0;
    interval_ = kProbeFirst;
    next_probe_ = now;
}

void PathHealth::rest() {
    state_ = State::resting;
    next_probe_ = kNever;
}

void PathHealth::try_out(Instant now) {
    state_ = State::trial;
    probed_ = false;
    good_ = 0;
    interval_ = kProbeFirst;
    next_probe_ = now;
}

bool PathHealth::probing(uint16_t seq, Instant now) {
    const bool second = state_ == State::suspect && probed_;
    if (probed_ && state_ == State::down) {
        interval_ = good_ ? kProbeFirst : std::min(2 * interval_, kProbeMax);
        good_ = 0;
    }
    if (second) state_ = State::down;
    probed_ = true;
    probe_seq_ = seq;
    next_probe_ = now + interval_;
    return second;
}

bool PathHealth::is_answer(uint16_t seq) const {
    return probed_ && path_seq_diff(seq, probe_seq_) >= 0;
}

bool PathHealth::answered(uint16_t seq, Instant now) {
    if (state_ == State::up || state_ == State::resting || !is_answer(seq)) return false;
    if (state_ != State::suspect && ++good_ < kGoodProbes) {
        probed_ = false; // the next is no repetition
        next_probe_ = now;
        return false;
    }
    state_ = State::up;
    next_probe_ = kNever;
    return true;
}

} // namespace rill::transport
