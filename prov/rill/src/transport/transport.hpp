// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/counters.hpp"
#include "transport/context.hpp"
#include "transport/context_table.hpp"
#include "transport/credit.hpp"
#include "transport/deadlines.hpp"
#include "transport/hello.hpp"
#include "transport/outgoing.hpp"
#include "transport/peer.hpp"
#include "transport/tombstones.hpp"
#include "transport/train.hpp"
#include "util/list.hpp"
#include "util/pool.hpp"
#include "util/siphash.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/link.hpp"
#include "wire/packet.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rill::transport {

// Values come from the tunables table; defaults are those of 3-transport in protocol.md.
struct Config {
    Duration peer_timeout = std::chrono::seconds(10); // silence that counts as death; 0: never
    Duration ack_delay = std::chrono::microseconds(25);
    uint32_t ack_bytes = 16 * 1024;
    Duration rto_min = std::chrono::milliseconds(10);
    Duration rto_max = std::chrono::seconds(1);
    uint32_t initial_window_bytes = 16 * 1024; // unscheduled, before the peer's first credit
    uint32_t contexts_max = 16384; // with one more, those used least recently are evicted
    Duration evict_after =
        std::chrono::minutes(10); // idleness after which a context is evicted; 0: never
    uint32_t max_packet = 0;      // bytes; 0: what the link allows
    uint16_t paths = 0;       // source ports in use per pair of addresses; 0: what the link offers
    uint16_t paths_max = 0;   // the most of them, where bulk data meets queues; 0: no more
    bool strict_open = false; // hold first-flight data of every stranger until a cookie is back
    std::optional<uint32_t> first_psn; // for tests: random otherwise
};

// What the transport asks of the layer above (the device). Called from receive(), transmit(),
// tick() only, never from connect().
class Client {
public:
    virtual ~Client() = default;
    // A packet's records, each packet once. false: no room for what they bring (nothing was done);
    // the packet counts as not received and comes again. `port` is where it arrived.
    virtual bool place(Context& from, wire::PortId port, std::span<const std::byte> records) = 0;
    // The packets of a train have been placed; their bytes are gone after this.
    virtual void train_placed() = 0;
    // Fill a fresh packet with the next records for this context, at most `limit` bytes in all.
    // false: there is nothing to send, the packet stays unused. `flush`: also records that were
    // waiting for company (completion notices).
    virtual bool fill(Context& to, Outgoing& packet, size_t limit, bool flush) = 0;
    // Whether fill() has anything for this context; asked before a packet is made for it.
    virtual bool has_records(const Context& to, bool flush) const = 0;
    // Nothing reads the slice of `owner`'s packet any more (acknowledged, or the context ended).
    virtual void slice_released(void* owner) = 0;
    // The kernel could not read a slice of `owner`'s packets: its memory is gone. The client calls
    // forget(owner).
    virtual void slice_failed(void* owner) = 0;
    // The answer to an opening: which device, and which of its queue pairs has the address.
    virtual void opened(Context& context, Peer& peer, uint32_t queue_pair) = 0;
    // No more packets will pass. unreachable: it never answered; dead; gone: the peer took leave.
    // ok: this context was one too many to a peer, was drained and is retired by both sides;
    // nothing is lost, and what comes next goes to Peer::preferred. The context is freed after the
    // call.
    virtual void ended(Context& context, Status why) = 0;
    // The context has been idle, and its memory is taken back; has_records() has just said that
    // there is nothing for it. Peer::evicted tells that it comes back (way_to), with the same id.
    virtual void evicted(Context& context) = 0;
    // Whether an address belongs to an endpoint that the program inserted into an address vector.
    virtual bool knows(const wire::Address& from) const = 0;
    // The queue pair whose endpoint has this port, or 0.
    virtual uint32_t queue_pair_of(wire::PortId port) const = 0;
};

class Transport {
public:
    Transport(const Config& config, wire::Link& link, const SipKey& secret, Client& client,
              obs::Counters& counters);
    // Frees everything without a word to the peers or the client: leave() comes before.
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // A context towards an endpoint's address. Opens with the first packet that fill() gives it.
    // Null when contexts_max are open and in use.
    Context* connect(const wire::Address& endpoint);
    // `context` has records to send: transmit() will ask for them. With `lazily` they go out with
    // the next packet to that peer, at the latest when an acknowledgement is due.
    void ready(Context& context, bool lazily = false);
    // Keep probing a peer of whom something is expected although nothing is outstanding to it
    // (a directed receive): counts up and down.
    void watch(Context& context, bool on);
    // The context for new work to a peer; null when it has ended (Peer::ended).
    Context* way_to(Peer& peer) {
        if (peer.preferred || !peer.evicted) [[likely]]
            return peer.preferred;
        return context_of(peer.evicted);
    }
    // Frees an untouched context: there is a better way by now. Others stay.
    void abandon(Context& context);

    // The memory that `owner`'s packets refer to goes away: unacknowledged ones lose the record
    // that the slice belongs to (the packets stay, to be acknowledged), and slice_released is
    // called for each.
    void forget(void* owner);

    // One call of Link::receive and all that its packets ask for. Returns packets processed.
    size_t receive(Instant now, bool poll_all);
    // The acknowledgement in the last packet of receive(), if it has not been looked at: what that
    // packet brought goes to the program first, which then waits for an answer anyway. The next
    // receive(), tick() or a closed window does it in any case.
    void settle() {
        if (unsettled_) settle_ack(*std::exchange(unsettled_, nullptr));
    }
    // Whatever has come due: acknowledgements, probes, loss, death.
    void tick(Instant now);
    // Sends for all ready contexts as far as windows and the link allow. Returns packets sent.
    size_t transmit(Instant now);
    // Whether tick() or transmit() has something to do now, refusals aside. Looking costs a poll that
    // finds nothing a third of what the two calls would.
    bool has_due(Instant now) {
        const bool may_send = stalled_until_ == kNever || stalled_until_ <= now;
        return (may_send && (!ready_.empty() || acks_due(now))) || deadlines_.earliest() <= now;
    }
    // When tick() has something to do at the latest; kNever when nothing is pending.
    Instant next_deadline() const;
    // Whether any packet or opening is unacknowledged or unsent.
    bool outstanding() const;

    // Leaving: tell every peer. tick() repeats the farewells; done when all answered or the 200 ms
    // are over. After it nothing is sent any more.
    void leave(Instant now);
    bool left(Instant now) const;
    // Every context ends now, as if its peer had taken leave. The peers are told once; who does not
    // hear it is told that the context is unknown when it sends.
    void reset(Instant now);

    // Evicts all that can be, however long they have been idle (for tests, and where memory is short).
    void evict_idle();

    const wire::DeviceId& device_id() const { return device_id_; }
    // For the client, while it places what came: the file that the packets lie in, or null.
    const FileMemory* arrived_in() const { return arrival_.file; }
    // For statistics.
    template <class F>
    void for_each_context(F&& f) {
        contexts_.for_each(f);
    }

private:
    static constexpr size_t kTrainsPerReceive = 16;
    enum class Stop : uint8_t { // why a train ended
        train,                  // it is full, there may be more
        nothing,                // no more records
        blocked,                // a window is closed
        stalled,                // the link has no room, or we have no packets left
    };
    struct Sent {
        Stop stop;
        size_t packets; // that left
    };
    struct Arrival { // one packet, as far as taken apart
        wire::PacketView view;
        wire::Address from;
        wire::PortId port = 0;
        uint8_t nic = 0;
        size_t bytes = 0;
        bool marked = false;
        const FileMemory* file = nullptr;
    };

    struct PacketSize { // of a full packet to a peer
        size_t bytes;
        size_t charge; // against its credit
    };

    // ---- passes (transport.cpp) ----
    void start_pass(Instant now);
    void service(Context& context, Instant now);
    void arm(Context& context);
    void arm_unless_near(Context& context);
    Context::Timing timing() const;
    void make_ready(Context& context);
    void set_blocked(Context& context, bool blocked);
    void set_lazy(Context& context, bool lazy);
    void request_flush(Context& context);
    void stall(Instant now);
    Context* make_context(const wire::Address& to);
    uint16_t path_limit() const;
    size_t packet_limit(const wire::Address& to) const;

    // ---- receiving.cpp ----
    size_t receive_train(const wire::RxTrain& train, Instant now);
    void receive_packet(Arrival& arrival, Instant now);
    bool may_settle_later(const Context& context, const Arrival& arrival) const;
    void settle_ack(Context& context);
    void arm_after_ack(Context& context);
    void count_drop(wire::ParseError error);
    Context* addressed(const Arrival& arrival, Instant now);
    bool welcome(Context& context, const Arrival& arrival, Instant now);
    void receive_known(Context& context, Arrival& arrival, Instant now);
    void receive_data(Context& context, Arrival& arrival, Instant now);
    void receive_reset(const Arrival& arrival, Instant now);
    void process_ack(Context& context, const Arrival& arrival, Instant now);
    void grow_windows(Context& context);
    void hold_back_slow(Context& context, Path& path, Instant now);
    void take_credit(Context& context, uint32_t stamp_us, uint32_t window_bytes);
    void process_echoes(Context& context, const Arrival& arrival, Instant now);
    void packet_acked(Context& context, Outgoing& packet, Instant now);
    void detect_losses(Context& context, Instant now);
    void lose(Context& context, Outgoing& packet);
    void heard(Context& context, Instant now);
    void touch_active(Context& context, Instant now);
    size_t active_contexts(Instant now);

    // ---- sending.cpp ----
    Sent send_train(Context& context, bool flush, Instant now);
    Stop gather(Context& context, std::span<const std::byte> ack, bool flush, Instant now);
    PacketSize full_packet(const Context& context);
    Outgoing* next_packet(Context& context, size_t overhead, bool flush, Stop& stop);
    Stop no_path(const Context& context);
    bool window_open(Context& context, bool first);
    bool leave_path(Context& context, Instant now);
    void add_packet(Context& context, Outgoing& packet, std::span<const std::byte> ack,
                    PacketSize size, Instant now);
    void packets_left(Context& context, bool failed, Instant now);
    void take_back(Context& context);
    bool drop_unreadable(Context& context);
    bool shrink_packets(Context& context);
    void release(Outgoing& packet);
    void tail_probe(Context& context, Instant now);
    void time_out(Context& context, Instant now);

    // ---- control.cpp ----
    wire::Header header(const Context& context, wire::PacketType type, Instant now) const;
    wire::Hello hello(Context& context, Instant now);
    uint32_t credit_for(const Context& context, Instant now);
    std::span<const std::byte> encode_ack(Context& context, size_t echoes, size_t words,
                                          Instant now);
    void ack_left(Context& context);
    void request_ack(Context& context, bool at_once, Instant now);
    void send_due_acks(Instant now) {
        if (acks_due(now)) send_acks(now);
    }
    bool acks_due(Instant now) {
        const Context* first = acks_delayed_.front();
        return (first && first->ack_at_ <= now) || !acks_due_.empty();
    }
    void send_acks(Instant now);
    bool send_control(Context& context, wire::PacketType type, uint16_t flags, Instant now,
                      std::optional<uint32_t> psn = {}, std::optional<uint16_t> path = {});
    void probe(Context& context, Instant now);
    void reply(const wire::Address& to, const wire::Header& header);

    // ---- opening.cpp ----
    void receive_opening(Arrival& arrival, Instant now);
    Context* accept(const Arrival& arrival, Instant now);
    void send_retry(const Arrival& arrival, uint64_t cookie, Instant now);
    void ask_for_cookie(const Arrival& arrival, Instant now);
    void refuse_opening(const Arrival& arrival, Instant now);
    bool bind(Context& context, const Arrival& arrival);
    bool receive_answer(Context& context, const Arrival& arrival, Instant now);
    void receive_retry(const Arrival& arrival, Instant now);
    void proved(Context& context, Instant now);
    Psn first_psn() { return config_.first_psn ? Psn(*config_.first_psn) : secrets_.first_psn(); }
    Peer* peer_of(const wire::DeviceId& device);
    void choose_preferred(Peer& peer);
    void challenge_predecessors(const Context& context, Instant now);

    // ---- pathfinding.cpp ----
    void look_for_ways(Context& context, Instant now);
    bool is_local(const wire::Address& address) const;
    void make_ways(Context& context);
    size_t add_addresses(std::byte* at) const;
    void announce(Context& context, Instant now);
    void addresses_known(Context& context, uint8_t count, Instant now);
    void receive_addresses(Context& context, std::span<const std::byte> list, Instant now);
    void lay_paths(Context& context, Instant now);
    bool has_path(const Context& context, const Path::Way& way) const;
    bool add_path(Context& context, const Path::Way& way, Instant now);
    void suspect(Context& context, Path& path, Instant now);
    void probe_paths(Context& context, Instant now);
    bool leave_reply_path(Context& context, Instant now);
    void ask_all_paths(Context& context, Instant now);
    void path_answered(Context& context, Path& path, uint16_t seq, Instant now);
    void set_packet_bytes(Context& context, size_t bytes);

    // ---- route_search.cpp ----
    void allow_search(Context& context, Instant now);
    void look_for_routes(Context& context, Instant now);
    size_t try_ports(Context& context, uint16_t first, Instant now);
    Path* spare_path(Context& context, const Path::Way& way);
    void rest_ports(Context& context);
    void turn_ack_port(Context& context);
    void answer_by_port(Context& context, uint16_t path);
    uint16_t port_limit() const;

    // ---- ending.cpp ----
    void end(Context& context, Status why, Instant now);
    void end_one(Context& context, Status why, Instant now);
    void unlink(Context& context);
    void free_ended();
    void set_state(Context& context, Event event);
    void receive_farewell(Context& context, const Arrival& arrival, Instant now);
    void receive_farewell_ack(Context& context, const Arrival& arrival, Instant now);
    void receive_question(Context& context, uint32_t nonce, Instant now);
    void receive_refusal(Context& context, uint32_t nonce, Instant now);
    void farewell_answered(Context& context);
    void ask_to_retire(Context& context, Instant now);
    bool may_retire(const Context& context) const;
    void idle(Context& context, Instant now);
    void idle_for_long(Context& context, Instant now);
    void repeat(Context& context, Instant now);
    void repeat_soon(Context& context, Instant now);
    void refused(const wire::Address& address, Instant now);
    void refused_opening(Context& context, Instant now);
    void refused_device(Context& context, Instant now);
    void refused_endpoint(Context& context, Instant now);
    void count_refusal(Context& context, Instant now);
    bool may_reset(Instant now);
    void answer_unknown(const Arrival& arrival, Instant now);
    void add_address(Context& context, const wire::Address& address);
    void remove_address(Context& context, const wire::Address& address);
    std::vector<uint32_t> contexts_at(const wire::Address& address) const; // evicted ones, too
    void forget_remotes(Context& context);

    // ---- eviction.cpp ----
    bool may_evict(const Context& context) const;
    void evict(Context& context);
    Context& revive(const EvictedContext& evicted);
    Context* context_of(uint32_t id); // brought back if it is evicted; null: there is none
    void make_room();
    void revive_all();

    Config config_;
    Duration absence_; // without a pass, although one was due: we were stopped
    wire::Link& link_;
    Client& client_;
    obs::Counters& counters_;
    Secrets secrets_;
    uint32_t resets_ = 0;
    wire::DeviceId device_id_;

    ContextTable contexts_;
    Pool<Outgoing> packets_;
    std::map<wire::DeviceId, Peer> peers_;
    std::unordered_map<uint64_t, uint32_t> by_peer_token_; // ids, also of evicted contexts
    std::unordered_multimap<wire::Address, uint32_t, wire::AddressHash> by_address_; // likewise
    Tombstones tombstones_;
    std::vector<std::unique_ptr<Context>> ended_; // freed when the next pass starts

    Deadlines deadlines_;
    List<Context, ReadyTag> ready_;      // have records, and may send
    List<Context, AckTag> acks_delayed_; // in order of time: the delay is constant
    List<Context, AckTag> acks_due_;
    List<Context, ActiveTag> active_; // oldest arrival first
    size_t active_count_ = 0;
    CreditBudget credit_;
    TrainBuilder train_;
    Charges charges_;
    PacketSize train_size_{}; // of a full packet in the train being built
    std::array<wire::RxTrain, kTrainsPerReceive> rx_trains_;
    Arrival arrival_; // taken apart last; its bytes are the link's until it receives again
    Context* unsettled_ = nullptr; // whose acknowledgement in it waits
    Instant arrived_{};            // when it came
    std::vector<std::byte> ack_scratch_;
    uint64_t ack_echoed_ = 0; // paths that the encoded acknowledgement echoes
    uint16_t ack_last_echo_ = 0;
    wire::Address train_to_; // of the train being built
    uint16_t train_path_ = 0;
    bool train_has_ack_ = false;

    uint32_t blocked_count_ = 0;
    uint32_t lazy_count_ = 0;
    uint32_t opening_count_ = 0;
    uint32_t half_open_ = 0;
    uint32_t retire_nonce_ = 0;
    uint32_t reset_tokens_ = 0; // resets that may be sent before more time passes
    Instant resets_at_{};
    uint32_t next_ordinal_ = 0;
    Instant now_{}; // of the last pass
    Instant resumed_{};
    Instant expire_at_{};
    Instant stalled_until_ = kNever;
    bool leaving_ = false;
    Instant leave_until_ = kNever;
    uint32_t farewells_open_ = 0;
};

} // namespace rill::transport
