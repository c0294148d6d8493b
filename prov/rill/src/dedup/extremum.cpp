// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/extremum.hpp"

#include <algorithm>

namespace rill::dedup {
namespace {

// Random data: the mean length is (e - 1) windows (the paper's section III).
constexpr double kMeanWindows = 1.718281828459045;

uint32_t window_for(uint32_t min, uint32_t avg) {
    const double natural = avg / kMeanWindows;
    if (natural >= min) return static_cast<uint32_t>(natural);
    // A longer minimum skips (min - window) bytes first: skip + (e - 1) windows is the mean then.
    return std::max(1u, static_cast<uint32_t>((avg - min) / (kMeanWindows - 1)));
}

} // namespace

Extremum::Extremum(uint32_t min, uint32_t avg, uint32_t max, const Cpu& cpu)
    : window_(window_for(min, avg)), max_(max), avx2_(cpu.avx2) {
    skip_ = min > window_ ? min - window_ : 0;
}

size_t find_greater_portable(const std::byte* data, size_t from, size_t to, int32_t bound) {
    for (size_t i = from; i < to; ++i)
        if (value_at(data, i) > bound) return i;
    return to;
}

// One pass over one fragment; the first bytes of a fragment end values that began in an earlier
// one.
struct Extremum::Scan {
    const Extremum& rule;
    CutState& state;
    const std::byte* data;
    size_t end;
    size_t at = 0;

    // One byte into `recent`.
    int32_t push() {
        const uint32_t top = static_cast<uint32_t>(data[at++]) << 24;
        state.recent = state.recent >> 8 | top;
        ++state.length;
        return static_cast<int32_t>(state.recent);
    }
    size_t find_greater(size_t to) const {
#if defined(__x86_64__)
        if (rule.avx2_) return find_greater_avx2(data, at, to, state.extremum);
#endif
        return find_greater_portable(data, at, to, state.extremum);
    }
    void skip() {
        if (state.length >= rule.skip_) return;
        const size_t n = std::min<size_t>(rule.skip_ - state.length, end - at);
        at += n;
        state.length += static_cast<uint32_t>(n);
    }
    // The first value needs four bytes behind what is skipped.
    void begin() {
        const uint32_t first = rule.skip_ + kValueBytes;
        while (state.length < first && at < end)
            if (const int32_t v = push(); state.length == first) state.extremum = v;
    }
    void step() {
        if (const int32_t v = push(); v > state.extremum) {
            state.extremum = v;
            state.since = 0;
        } else {
            ++state.since;
        }
    }
    // To the next greater value, or to where the chunk or the data ends.
    void run() {
        const size_t to = std::min<size_t>(end, at + (rule.window_ - state.since));
        const size_t found = find_greater(to);
        const bool greater = found < to;
        if (greater) state.extremum = value_at(data, found);
        const size_t next = greater ? found + 1 : to;
        state.since = greater ? 0 : state.since + static_cast<uint32_t>(to - at);
        state.length += static_cast<uint32_t>(next - at);
        at = next;
    }
};

Cut Extremum::next(CutState& state, std::span<const std::byte> data) const {
    const size_t end = std::min<size_t>(data.size(), max_ - state.length);
    Scan scan{*this, state, data.data(), end};
    scan.skip();
    scan.begin();
    while (scan.at < end && state.since < window_) {
        if (scan.at >= kValueBytes - 1)
            scan.run();
        else
            scan.step();
    }
    const bool found = state.since == window_;
    if (found || state.length == max_) {
        state = {};
        return {scan.at, true, !found};
    }
    // run() does not keep them.
    if (scan.at >= kValueBytes)
        state.recent = static_cast<uint32_t>(value_at(data.data(), scan.at - 1));
    return {scan.at, false, false};
}

} // namespace rill::dedup
