// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/path.hpp"

#include "wire/link.hpp"

#include <algorithm>

namespace rill::transport {
namespace {
// A bad path is half forgiven after this time: 3-transport re-probes at most 250 ms apart.
constexpr Duration kForgiveAfter = std::chrono::milliseconds(100);
constexpr uint32_t kPenaltyMax = 120;
constexpr Duration kSwallowSlack = std::chrono::milliseconds(1);
// For a path that nothing was ever heard of, and that carries data because no other works.
constexpr Duration kUnknownPatience = std::chrono::milliseconds(20);
constexpr Duration kRttSlack = std::chrono::microseconds(20);
constexpr Duration kQueueSlack = std::chrono::milliseconds(1);
} // namespace

void Path::reroute(uint16_t entropy, size_t packet) {
    way.entropy = entropy;
    rtt = {};
    window = CongestionWindow(packet);
    reorder_shift_ = 0;
    penalty_ = 0;
}

bool Path::faster_than(const Path& other) const {
    if (!rtt.valid() || !other.rtt.valid()) return false;
    return rtt.srtt() + rtt.srtt() / 4 + kRttSlack < other.rtt.srtt();
}

Duration Path::train_time() const {
    if (!rtt.valid()) return Duration::zero();
    return rtt.srtt() * static_cast<int64_t>(wire::kTrainBytesMax) /
           static_cast<int64_t>(std::max(window.bytes(), wire::kTrainBytesMax));
}

void Path::sent(Outgoing& packet, Instant now) {
    packet.sent = now;
    packet.state = Outgoing::State::in_flight;
    in_flight.push_back(packet);
}

bool Path::delivered(uint16_t seq) {
    if (path_seq_diff(seq, next_seq_) >= 0) return false;
    if (path_seq_diff(seq, delivered_seq_) > 0) delivered_seq_ = seq;
    return true;
}

Duration Path::reorder_window(Duration train) const {
    Duration window = std::max(rtt.min_rtt() / 4, train) * (int64_t{1} << reorder_shift_);
    return std::min(window, rtt.srtt());
}

Instant Path::reorder_deadline(Duration train) {
    Outgoing* oldest = in_flight.front();
    if (!oldest || !rtt.valid() || path_seq_diff(oldest->path_seq, delivered_seq_) > 0)
        return kNever;
    return oldest->sent + rtt.srtt() + reorder_window(train);
}

Outgoing* Path::next_lost(Instant now, Duration train) {
    Instant due = reorder_deadline(train);
    return due <= now ? in_flight.front() : nullptr;
}

Outgoing* Path::next_swallowed(Instant newest, Duration train) {
    Outgoing* oldest = in_flight.front();
    if (!oldest) return nullptr;
    Duration patience = kUnknownPatience;
    if (rtt.valid()) patience = 2 * (rtt.srtt() + 4 * rtt.rttvar() + reorder_window(train));
    return oldest->sent + patience + kSwallowSlack < newest ? oldest : nullptr;
}

void Path::blame(Blame what, Instant now) {
    penalty_ = std::min(penalty(now) + static_cast<uint32_t>(what), kPenaltyMax);
    penalty_at_ = now;
}

uint32_t Path::penalty(Instant now) const {
    if (penalty_ == 0) return 0;
    const int64_t halvings = (now - penalty_at_) / kForgiveAfter;
    return halvings < 16 ? penalty_ >> halvings : 0;
}

bool Path::congested() const {
    if (!rtt.valid()) return true;
    return rtt.srtt() > 2 * rtt.min_rtt() && rtt.srtt() > rtt.min_rtt() + kQueueSlack;
}

bool Path::marks_grew(uint32_t total) {
    if (static_cast<int32_t>(total - marks_) <= 0) return false;
    marks_ = total;
    return true;
}

} // namespace rill::transport
