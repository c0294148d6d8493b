// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/congestion.hpp"

#include "wire/link.hpp"

#include <algorithm>

namespace rill::transport {
namespace {
constexpr size_t kTrain = wire::kTrainBytesMax;
// A quarter of a train per round trip: one packet of 1400 B would take seconds to fill a fast link.
constexpr size_t kIncrease = 16 * 1024;
// With isolated losses in every round trip, growth and cut balance at ten increases; two trains is
// what keeps segmentation offload worth having.
constexpr size_t kIsolatedFloor = 2 * kTrain;
constexpr size_t kCeiling = 64u << 20;
} // namespace

CongestionWindow::CongestionWindow(size_t packet_bytes)
    : bytes_(std::max(kTrain, 2 * packet_bytes)), threshold_(kCeiling), ceiling_(kCeiling),
      packet_bytes_(static_cast<uint32_t>(packet_bytes)) {}

void CongestionWindow::set_packet_bytes(size_t packet_bytes) {
    packet_bytes_ = static_cast<uint32_t>(packet_bytes);
    bytes_ = std::max(bytes_, 2 * packet_bytes);
}

void CongestionWindow::acked(size_t bytes, bool limited, double coupled) {
    if (!limited || bytes_ >= ceiling_) return;
    size_t step = std::max<size_t>(packet_bytes_, kIncrease);
    if (slow_start()) {
        bytes_ += bytes;
    } else {
        const double grows = std::min(1.0 / static_cast<double>(bytes_), coupled);
        bytes_ +=
            std::max<size_t>(1, static_cast<size_t>(static_cast<double>(step * bytes) * grows));
    }
    bytes_ = std::min(bytes_, std::max<size_t>(ceiling_, 2 * packet_bytes_));
}

void CongestionWindow::cut(size_t to, Instant now) {
    bytes_ = std::max<size_t>(to, 2 * packet_bytes_);
    threshold_ = bytes_;
    cut_at_ = now;
}

void CongestionWindow::lost(Instant sent, Instant now, Loss kind) {
    if (sent <= cut_at_) return;
    switch (kind) {
    case Loss::congestive: cut(bytes_ / 10 * 7, now); break;
    case Loss::isolated:
        cut(std::max(bytes_ / 10 * 9, std::min(bytes_, kIsolatedFloor)), now);
        break;
    }
}

void CongestionWindow::marked(Instant now, Duration srtt) {
    if (now - cut_at_ < srtt) return;
    cut(bytes_ / 10 * 7, now);
}

void CongestionWindow::delayed(Instant now, Duration srtt, Duration target) {
    if (now - cut_at_ < srtt) return;
    // In proportion, as Swift does (Kumar et al., SIGCOMM 2020), at most by half.
    size_t fits = bytes_ * static_cast<size_t>(target.count()) / static_cast<size_t>(srtt.count());
    cut(std::max(fits, bytes_ / 2), now);
}

void CongestionWindow::timed_out(Instant now) {
    size_t half = bytes_ / 2;
    cut(std::min(bytes_, kTrain), now);
    threshold_ = std::max<size_t>(half, bytes_);
}

} // namespace rill::transport
