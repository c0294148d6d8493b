// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "rdm/request.hpp"
#include "sim/host.hpp"
#include "sim/journal.hpp"
#include "sim/payload.hpp"
#include "sim/remote_ledger.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace rill::sim {

inline constexpr uint32_t kNobody = UINT32_MAX;

// What the oracle knows of an endpoint.
struct Party {
    uint32_t host = 0;
    bool over = false; // closed, left or crashed
    bool crashed = false;
    bool left = false; // its host took leave
    Instant over_at = kNever;
};

// A send, from the program's side.
struct Message {
    uint32_t id = 0;
    uint32_t from = 0; // endpoints
    uint32_t to = 0;
    uint32_t order = 0; // among those of its flow
    bool posted = false;
    bool tagged = false;
    bool has_data = false;
    bool report = true;
    bool inject = false;
    bool over = false;     // completed
    bool consumed = false; // it has been seen in a buffer, beyond doubt
    rdm::Level level = rdm::Level::transmit;
    Status status = Status::ok;
    uint64_t tag = 0;
    uint64_t length = 0;
    uint64_t seed = 0;
    Instant posted_at{};
    Instant over_at{};
    Buffer buffer;
};

// A receive, or a look at what is unexpected.
struct Receive {
    enum class Kind : uint8_t { post, peek, claim, discard };

    uint32_t id = 0;
    uint32_t at = 0;         // endpoint
    uint32_t from = kNobody; // directed: the only endpoint that fits
    Kind kind = Kind::post;
    bool posted = false;
    bool tagged = false;
    bool multi = false;
    bool sweeps = false;  // takes what is left over
    bool claimed = false; // holds a message that is not received yet
    bool cancelling = false;
    bool over = false;
    Status status = Status::ok;
    uint64_t order = 0; // of posting, at its endpoint
    uint64_t tag = 0;
    uint64_t ignore = 0;
    uint64_t claimed_data = 0; // of the message that it holds
    uint64_t claimed_length = 0;
    Instant posted_at{};
    Instant cancelled_at = kNever;
    Instant over_at{};
    Buffer buffer;

    bool fits(const Message& m) const {
        return tagged == m.tagged && (!tagged || ((tag ^ m.tag) & ~ignore) == 0) &&
               (from == kNobody || from == m.from);
    }
};

// One message taken by one receive, as the receiver reported it.
struct Consumption {
    uint32_t receive = 0;
    uint32_t from = kNobody;
    uint32_t message = kNobody; // where content says which
    bool tagged = false;
    bool has_data = false;
    bool whole = false; // length, data and prefix are valid
    Status status = Status::ok;
    uint64_t tag = 0;
    uint64_t total = 0;
    uint64_t offset = 0; // in a multi-receive buffer
    uint64_t data = 0;
    uint64_t prefix = 0; // the first bytes, when they are too few to identify the message
    uint64_t prefix_bytes = 0;
    Instant at{};
};

// Judges a run: every operation completes once and rightly, every message arrives once, whole, and
// is matched in the order that the interface promises.
class Oracle final : public CompletionListener {
public:
    Oracle(const EventQueue& clock, Journal& journal, const Network& network, Duration peer_timeout)
        : clock_(clock), journal_(journal), network_(network), peer_timeout_(peer_timeout),
          remote_(clock, journal, *this) {}

    // ---- what there is
    uint32_t add_party(uint32_t host);
    Party& party(uint32_t endpoint) { return parties_[endpoint]; }
    size_t parties() const { return parties_.size(); }
    // What a host calls an endpoint, from now on.
    void name(uint32_t host, uint32_t endpoint, rdm::SourceId id);
    rdm::SourceId name_of(uint32_t host, uint32_t endpoint) const;
    // Two hosts may lose sight of each other: one of them was away for too long.
    void excuse_host(uint32_t host);
    bool excused(uint32_t host_a, uint32_t host_b) const;
    // Begun when a reset of one of the two had not come to an end for the other.
    bool reset_between(uint32_t host_a, uint32_t host_b, Instant begun) const;
    // What is under way there ends with an error or is lost, also what others send before
    // all_have_heard().
    void reset_host(uint32_t host);
    void all_have_heard() { heard_at_ = clock_.now(); }
    // Packets get through well: flushing a few of them within 200 ms is no matter of luck.
    void expect_flushed() { flush_expected_ = true; }

    // ---- what the programs do
    Message& draft_message();
    Receive& draft_receive();
    void posted(Message& m);
    void posted(Receive& r);
    void cancelling(Receive& r);
    void endpoint_over(uint32_t endpoint, bool crashed, bool left);

    void sent(uint32_t endpoint, const rdm::Completion& c) override;
    void received(uint32_t endpoint, const rdm::Completion& c) override;

    RemoteLedger& remote() { return remote_; }
    // An error needs a reason, one of the codes for it, and must come in time.
    void check_send_error(const Message& m);

    // ---- what the driver wants to know
    std::deque<Message>& messages() { return messages_; }
    std::deque<Receive>& receives() { return receives_; }
    uint64_t unconsumed(uint32_t endpoint, bool tagged) const;
    uint64_t longest_open(uint32_t endpoint, bool tagged) const;
    uint64_t errors() const { return errors_; }
    uint64_t bytes_received() const { return bytes_received_; }
    uint64_t messages_received() const { return consumed_.size(); }

    // Nothing may be open any more.
    void check_nothing_hangs();
    void check_nothing_waits_for_the_dead();
    // Matching, order, completeness: once nothing moves any more.
    void check_matching();

private:
    struct Class {                      // messages that every receive treats alike
        std::vector<uint32_t> messages; // in order of sending
        std::vector<uint32_t> taken;    // consumptions, in order of the receives
    };

    void check_delivered(const Message& m);
    void peek_answered(Receive& r, const rdm::Completion& c);
    void ended_unmatched(Receive& r, const rdm::Completion& c);
    void take(Receive& r, const rdm::Completion& c);
    void identify(Receive& r, Consumption& taken, uint64_t length);
    void check_content(const Receive& r, const Consumption& taken, uint64_t length);
    void finish(Receive& r, Status status);
    uint32_t endpoint_named(uint32_t host, rdm::SourceId id) const;
    bool must_arrive(const Message& m) const;
    bool of_a_reset(const Message& m) const;
    bool compatible(const Consumption& c, const Message& m) const;
    void assign(const Class& c);
    void complain(const Class& c);
    void check_order();
    void check_overtaking(uint32_t later);
    void check_passed_over(const Receive& idle);
    bool before(uint32_t a, uint32_t b) const;

    const EventQueue& clock_;
    Journal& journal_;
    const Network& network_;
    Duration peer_timeout_;
    RemoteLedger remote_;
    bool flush_expected_ = false;
    std::vector<Party> parties_;
    std::vector<std::vector<rdm::SourceId>> names_; // by host and endpoint
    std::vector<bool> excused_;                     // by host
    std::vector<bool> reset_;                       // likewise
    Instant heard_at_ = kNever;
    std::deque<Message> messages_;
    std::deque<Receive> receives_;
    std::vector<Consumption> consumed_;
    std::vector<uint32_t> taken_by_; // consumption of each message, once assigned
    std::unordered_map<uint64_t, uint32_t> by_first_word_;
    std::unordered_map<uint64_t, uint32_t> flow_orders_;
    std::vector<uint64_t> receive_orders_; // by endpoint
    std::vector<uint64_t> blind_;          // by endpoint: consumptions that named no message
    uint64_t errors_ = 0;
    uint64_t bytes_received_ = 0;
};

} // namespace rill::sim
