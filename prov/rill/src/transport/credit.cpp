// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/credit.hpp"

namespace rill::transport {
namespace {
// A step down is given time to show (several round trips), and is taken back after a while.
constexpr Duration kStep = std::chrono::milliseconds(5);
constexpr Duration kRecover = std::chrono::milliseconds(50);
constexpr uint32_t kShrinkMax = 8;
} // namespace

uint64_t CreditBudget::drops(uint64_t total, Instant now) {
    uint64_t grown = total - drops_;
    if (grown == 0) return 0;
    drops_ = total;
    if (shrink(now) == 1 || now - shrunk_at_ > kStep) {
        shrink_ = std::min(shrink_ * 2, kShrinkMax);
        shrunk_at_ = now;
    }
    return grown;
}

size_t CreditBudget::shrink(Instant now) {
    while (shrink_ > 1 && now - shrunk_at_ > kRecover) {
        shrink_ /= 2;
        shrunk_at_ += kRecover;
    }
    return shrink_;
}

} // namespace rill::transport
