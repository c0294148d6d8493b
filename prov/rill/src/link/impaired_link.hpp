// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/clock.hpp"
#include "link/impair.hpp"
#include "obs/counters.hpp"
#include "util/prng.hpp"
#include "util/ring.hpp"
#include "wire/link.hpp"

#include <array>
#include <memory>

namespace rill::link {

// Wraps any link and loses, duplicates, holds back, corrupts and delays what it receives, packet by
// packet: a coalesced train is taken apart where something hits it, and only there. Sending passes
// through; with both sides wrapped, both directions are impaired. Reads `clock` once per receive().
class ImpairedLink final : public wire::Link {
public:
    using Clock = Instant (*)();

    ImpairedLink(wire::Link& inner, const Impairment& impairment, obs::Counters& counters,
                 Clock clock = monotonic_now);

    // When something held back becomes due: kNever if nothing is held, in the past if it is due.
    // Whoever sleeps on the inner link's descriptors must wake up then and call receive().
    Instant next_release() const;
    // The same as a time to sleep: zero or more, Duration::max() if nothing is held.
    Duration wait_hint() const;

    [[nodiscard]] Status send(const wire::TxTrain& train) override { return inner_.send(train); }
    Duration again_after() const override { return inner_.again_after(); }
    size_t receive(std::span<wire::RxTrain> out, bool poll_all) override;
    bool next_refusal(wire::Address& a) override { return inner_.next_refusal(a); }
    [[nodiscard]] Status open_port(wire::Address& bound, wire::PortId& id) override {
        return inner_.open_port(bound, id);
    }
    void close_port(wire::PortId id) override;
    wire::Address data_address() const override { return inner_.data_address(); }
    size_t max_packet_bytes(const wire::Address& to) const override {
        return inner_.max_packet_bytes(to);
    }
    size_t nics() const override { return inner_.nics(); }
    wire::Address nic_address(size_t nic) const override { return inner_.nic_address(nic); }
    size_t packet_bytes_from(size_t nic, const wire::Address& to) const override {
        return inner_.packet_bytes_from(nic, to);
    }
    uint16_t paths() const override { return inner_.paths(); }
    size_t receive_buffer_bytes() const override { return inner_.receive_buffer_bytes(); }
    size_t charge_bytes(size_t packet_bytes) const override {
        return inner_.charge_bytes(packet_bytes);
    }
    uint64_t receive_drops() const override { return inner_.receive_drops(); }

private:
    // Packets that wait, in memory of their own.
    struct Held {
        wire::RxTrain train;
        std::unique_ptr<std::byte[]> bytes;
        Instant due = kNever;
        uint64_t after_packets = UINT64_MAX; // or as soon as passed_ has come so far

        bool empty() const { return bytes == nullptr; }
    };
    static constexpr size_t kInnerTrains = 4;
    static constexpr size_t kPieces = 1024;  // more than kInnerTrains of 128 packets can become
    static constexpr size_t kHeldBack = 64;  // packets out of order at one time
    static constexpr size_t kDelayed = 4096; // runs on their way
    static constexpr size_t kHandedOut = 64;
    static constexpr size_t kHeldBytes = size_t{32} << 20;

    size_t deliver_held_back(std::span<wire::RxTrain> out);
    size_t deliver_delayed(std::span<wire::RxTrain> out);
    size_t deliver_pieces(std::span<wire::RxTrain> out);
    bool refill(bool poll_all);
    void take_apart(const wire::RxTrain& train);
    bool is_spared(const wire::RxTrain& packet);
    void pass_on(const wire::RxTrain& run);
    bool hold_back(const wire::RxTrain& packet);
    void corrupt(const wire::RxTrain& packet);
    Held* free_place();
    bool copy(const wire::RxTrain& run, Held& held);
    void hand_out(Held& held, wire::RxTrain& out);
    void drop(Held& held);

    wire::Link& inner_;
    Impairment impairment_;
    obs::Counters& counters_;
    Clock clock_;
    Prng prng_;
    Instant now_{};       // of the last receive()
    uint64_t queued_ = 0; // packets that came through unhurt, delivered or still in pieces_
    uint64_t passed_ = 0; // of them, those that left pieces_
    size_t held_bytes_ = 0;
    size_t held_back_count_ = 0;
    Ring<wire::RxTrain> pieces_; // runs in the inner link's buffer, not yet delivered
    Ring<Held> delayed_;         // in order of their dues: the delay is the same for all
    std::array<Held, kHeldBack> held_back_;
    Ring<std::unique_ptr<std::byte[]>> handed_out_; // valid until the next receive()
};

} // namespace rill::link
