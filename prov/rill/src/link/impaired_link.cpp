// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/impaired_link.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace rill::link {

using obs::Counter;
using wire::PortId;
using wire::RxTrain;

namespace {

// How far a packet that is held back falls behind: by up to so many later packets, or by up to this
// time if they do not come. Past what a path's spread would explain, so that loss detection errs.
constexpr uint64_t kBehindPackets = 8;
constexpr uint64_t kBehindUs = 1000;
// The Internet checksum finds every burst shorter than its own 16 bits.
constexpr size_t kBurstBits = 15;
// Times that one call asks the inner link again because nothing was left of what it brought.
constexpr int kRefills = 8;

size_t packets_of(const RxTrain& run) {
    return run.segment_bytes ? (run.total_bytes + run.segment_bytes - 1) / run.segment_bytes : 1;
}

RxTrain part_of(const RxTrain& train, size_t at, size_t bytes) {
    RxTrain part = train;
    part.data = train.data + at;
    part.total_bytes = bytes;
    part.segment_bytes = std::min(train.segment_bytes, bytes);
    return part;
}

} // namespace

ImpairedLink::ImpairedLink(wire::Link& inner, const Impairment& impairment, obs::Counters& counters,
                           Clock clock)
    : inner_(inner), impairment_(impairment), counters_(counters), clock_(clock),
      prng_(impairment.seed), pieces_(kPieces), delayed_(kDelayed), handed_out_(kHandedOut) {}

Instant ImpairedLink::next_release() const {
    if (!pieces_.empty()) return now_;
    Instant next = kNever;
    if (!delayed_.empty()) next = const_cast<Ring<Held>&>(delayed_).front().due;
    if (held_back_count_ == 0) return next;
    for (const Held& held : held_back_) {
        if (held.empty()) continue;
        next = std::min(next, held.after_packets <= passed_ ? now_ : held.due);
    }
    return next;
}

Duration ImpairedLink::wait_hint() const {
    const Instant next = next_release();
    return next == kNever ? Duration::max() : std::max(next - clock_(), Duration(0));
}

size_t ImpairedLink::receive(std::span<RxTrain> out, bool poll_all) {
    now_ = clock_();
    while (!handed_out_.empty()) {
        handed_out_.front().reset();
        handed_out_.pop();
    }
    for (int refills = 0; refills < kRefills; ++refills) {
        // Pieces lie in the inner link's buffer: it is not asked for more while there are any. It
        // is asked even if something held back is due, or a delay would grow with the load.
        const bool more = pieces_.empty() && refill(poll_all && refills == 0);
        size_t filled = deliver_held_back(out);
        filled += deliver_delayed(out.subspan(filled));
        filled += deliver_pieces(out.subspan(filled));
        if (filled > 0 || !more) return filled;
    }
    return 0;
}

size_t ImpairedLink::deliver_held_back(std::span<RxTrain> out) {
    size_t filled = 0;
    for (size_t i = 0; i < kHeldBack && held_back_count_ > 0 && filled < out.size(); ++i) {
        Held& held = held_back_[i];
        if (held.empty() || (held.due > now_ && held.after_packets > passed_)) continue;
        if (handed_out_.full()) break;
        hand_out(held, out[filled++]);
        --held_back_count_;
    }
    return filled;
}

size_t ImpairedLink::deliver_delayed(std::span<RxTrain> out) {
    size_t filled = 0;
    while (filled < out.size() && !delayed_.empty() && !handed_out_.full()) {
        Held& held = delayed_.front();
        if (held.due > now_) break;
        // Empty: its port was closed meanwhile.
        if (!held.empty()) hand_out(held, out[filled++]);
        delayed_.pop();
    }
    return filled;
}

size_t ImpairedLink::deliver_pieces(std::span<RxTrain> out) {
    size_t filled = 0;
    while (filled < out.size() && !pieces_.empty()) {
        out[filled] = pieces_.front();
        passed_ += packets_of(out[filled++]);
        pieces_.pop();
    }
    return filled;
}

bool ImpairedLink::refill(bool poll_all) {
    std::array<RxTrain, kInnerTrains> trains;
    const size_t got = inner_.receive(trains, poll_all);
    for (size_t i = 0; i < got; ++i)
        take_apart(trains[i]);
    return got > 0;
}

void ImpairedLink::take_apart(const RxTrain& train) {
    const size_t segment = train.segment_bytes ? train.segment_bytes : train.total_bytes;
    size_t run = 0; // where the spared packets begin that are not passed on yet
    for (size_t at = 0; at < train.total_bytes; at += segment) {
        const size_t bytes = std::min(segment, train.total_bytes - at);
        if (is_spared(part_of(train, at, bytes))) {
            ++queued_;
            continue;
        }
        if (at > run) pass_on(part_of(train, run, at - run));
        run = at + bytes;
    }
    if (train.total_bytes > run) pass_on(part_of(train, run, train.total_bytes - run));
}

// False: the packet is taken out of its train.
bool ImpairedLink::is_spared(const RxTrain& packet) {
    const auto strikes = [this](double p) { return p > 0 && prng_.chance(p); };
    if (strikes(impairment_.loss)) {
        counters_.add(Counter::impair_lost);
        return false;
    }
    if (strikes(impairment_.corrupt)) {
        corrupt(packet);
        return false;
    }
    if (strikes(impairment_.dup) && hold_back(packet)) counters_.add(Counter::impair_duplicated);
    if (strikes(impairment_.reorder) && hold_back(packet)) {
        counters_.add(Counter::impair_reordered);
        return false;
    }
    return true;
}

// A queue that is full loses, as a network's does.
void ImpairedLink::pass_on(const RxTrain& run) {
    if (impairment_.delay == Duration(0)) {
        if (pieces_.push(run)) return;
        counters_.add(Counter::impair_lost, packets_of(run));
        passed_ += packets_of(run);
        return;
    }
    Held* held = delayed_.slot();
    if (!held || !copy(run, *held)) {
        counters_.add(Counter::impair_lost, packets_of(run));
        return;
    }
    held->due = now_ + impairment_.delay;
    delayed_.commit();
}

// With a delay, only time releases a packet: those that pass in the meantime arrived before it.
bool ImpairedLink::hold_back(const RxTrain& packet) {
    Held* held = free_place();
    if (!held || !copy(packet, *held)) return false;
    held->due = now_ + impairment_.delay + std::chrono::microseconds(1 + prng_.below(kBehindUs));
    if (impairment_.delay == Duration(0))
        held->after_packets = queued_ + 1 + prng_.below(kBehindPackets);
    ++held_back_count_;
    return true;
}

// What the network does under the receiving kernel's checksum. The rest of what that sums up is the
// same before and after; if the payload's part is too, the packet would be delivered, so it is.
void ImpairedLink::corrupt(const RxTrain& packet) {
    Held* held = free_place();
    if (!held || !copy(packet, *held)) {
        counters_.add(Counter::impair_lost);
        return;
    }
    const std::span<std::byte> bytes(held->bytes.get(), packet.total_bytes);
    const uint16_t sent = internet_checksum(bytes);
    const size_t bits = bytes.size() * 8;
    const size_t length = std::min<size_t>(1 + prng_.below(kBurstBits), bits);
    flip_burst(bytes, prng_.below(bits - length + 1), length, prng_);
    if (internet_checksum(bytes) != sent) {
        counters_.add(Counter::impair_corrupted);
        drop(*held);
        return;
    }
    held->due = now_ + impairment_.delay;
    ++held_back_count_;
}

ImpairedLink::Held* ImpairedLink::free_place() {
    for (Held& held : held_back_)
        if (held.empty()) return &held;
    return nullptr;
}

bool ImpairedLink::copy(const RxTrain& run, Held& held) {
    if (run.total_bytes == 0 || held_bytes_ + run.total_bytes > kHeldBytes) return false;
    held.bytes.reset(new (std::nothrow) std::byte[run.total_bytes]);
    if (!held.bytes) return false;
    std::memcpy(held.bytes.get(), run.data, run.total_bytes);
    held.train = run;
    held.train.data = held.bytes.get();
    held.due = kNever;
    held.after_packets = UINT64_MAX;
    held_bytes_ += run.total_bytes;
    return true;
}

void ImpairedLink::hand_out(Held& held, RxTrain& out) {
    out = held.train;
    held_bytes_ -= held.train.total_bytes;
    *handed_out_.slot() = std::move(held.bytes);
    handed_out_.commit();
}

void ImpairedLink::drop(Held& held) {
    held_bytes_ -= held.train.total_bytes;
    held.bytes.reset();
}

void ImpairedLink::close_port(PortId id) {
    // The number may be given to another port: nothing of this one must come out under it.
    for (size_t n = pieces_.size(); n > 0; --n) {
        const RxTrain piece = pieces_.front();
        pieces_.pop();
        if (piece.port == id)
            passed_ += packets_of(piece);
        else
            (void)pieces_.push(piece);
    }
    for (size_t i = 0; i < delayed_.size(); ++i)
        if (Held& held = delayed_.at(i); !held.empty() && held.train.port == id) drop(held);
    for (Held& held : held_back_) {
        if (held.empty() || held.train.port != id) continue;
        drop(held);
        --held_back_count_;
    }
    inner_.close_port(id);
}

} // namespace rill::link
