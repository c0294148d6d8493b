// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The placement engine: what becomes of the records of a packet that has arrived once.
#include "nic/device.hpp"
#include "nic/remote_checks.hpp"

#include <algorithm>

namespace rill::nic {
namespace {

using obs::Counter;

// More unscheduled bytes than any sender of ours announces: a larger number is an attempt to make
// us reserve memory.
constexpr uint32_t kUnscheduledSane = 1u << 20;

bool bounds_ok(const wire::RecordView& r) {
    uint64_t n = r.payload.size();
    switch (r.type) {
    case wire::RecordType::message:
        return r.message.unscheduled <= kUnscheduledSane && n <= r.message.unscheduled &&
               r.message.unscheduled <= r.message.total;
    case wire::RecordType::fragment:
        return r.fragment.unscheduled <= kUnscheduledSane &&
               r.fragment.offset + n <= r.fragment.unscheduled;
    case wire::RecordType::granted:
    case wire::RecordType::grant:
    case wire::RecordType::done:
    case wire::RecordType::abort: return true; // judged where the grant or flow is known
    case wire::RecordType::write:
    case wire::RecordType::read:
    case wire::RecordType::atomic:
    case wire::RecordType::answer: return remote_bounds_ok(r);
    }
    return false;
}

} // namespace

// For what packets bring, check() has made sure of room. Answers to a receive queue's entries are the
// host's business: who does not read them, and asks for more, has an overrun.
CompletionEntry& Device::new_entry(EntryKind kind) {
    if (completions_.room() > 0 && !overrun_) [[likely]]
        return completions_.blank(kind);
    overrun_ = attention_ = true;
    return nowhere_;
}

// First pass over a packet: nothing is done unless all of it can be. `r` is the last of its `count`
// records.
Device::Check Device::check(transport::Context& from, wire::RecordReader reader,
                            wire::RecordView& r, size_t& count) {
    // A record may bring a flow, its sender and an entry; an atomic operation in its turn may be
    // followed by all that came early.
    if (completions_.room() < 3 * wire::kRecordsMax + early_atomics_) return Check::no_room;
    count = 0;
    bool messages = false, fragments = false, in_turn = false;
    RemoteChecks remote;
    while (reader.next(r)) {
        if (++count > wire::kRecordsMax || !bounds_ok(r)) return Check::malformed;
        fragments |= r.type == wire::RecordType::fragment;
        if (!remote_room(from, r, remote)) return Check::no_room;
        if (r.type != wire::RecordType::message) continue;
        messages = true;
        in_turn |= half_full() && comes_in_turn(from, r.message);
    }
    if (!reader.ok()) return Check::malformed;
    if (!messages && !fragments) return Check::ok;
    if (!inbound_.room(wire::kRecordsMax) || flows_.full()) return Check::no_room;
    if (!messages || !half_full()) return Check::ok;
    if (bounce_.envelope_room(wire::kRecordsMax) && in_turn) return Check::ok;
    if (!named_envelopes_)
        log_.print(LogLevel::warn,
                   "%u unexpected messages wait to be received: not all are taken until the "
                   "program receives some (FI_RILL_ENVELOPES)",
                   bounce_.envelopes_in_use());
    named_envelopes_ = true;
    return Check::no_room;
}

// Messages that came before their turn get half of what there is: else they could take all of it,
// and the one that they wait for could never come in.
bool Device::half_full() const {
    return 2 * uint64_t{bounce_.envelopes_in_use()} >= config_.envelopes_max ||
           2 * uint64_t{inbound_.live()} >= config_.inbound_max;
}

bool Device::comes_in_turn(transport::Context& from, const wire::Message& m) {
    RxFlow* flow = flows_.find(*from.peer(), m.flow);
    return MsgNo(m.msg_no) == (flow ? flow->turn : MsgNo(0));
}

bool Device::place(transport::Context& from, wire::PortId port,
                   std::span<const std::byte> records) {
    wire::RecordReader reader(records);
    wire::RecordView r;
    size_t count;
    switch (check(from, reader, r, count)) {
    case Check::no_room: counters_.add(Counter::drop_no_room); return false;
    case Check::malformed: counters_.add(Counter::drop_malformed); return true;
    case Check::ok: break;
    }
    if (count == 1) { // as most that somebody waits for: it is taken apart already
        take_record(from, port, r);
        return true;
    }
    while (reader.next(r))
        take_record(from, port, r);
    return true;
}

void Device::take_record(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    // Whatever else comes finds memory as the writes before it left it.
    if (r.type != wire::RecordType::write) settle_writes();
    switch (r.type) {
    case wire::RecordType::message: return on_message(from, port, r);
    case wire::RecordType::fragment: return on_fragment(from, port, r);
    case wire::RecordType::granted:
        if (r.flags & wire::kToFetch)
            return on_fetched_bytes(from, r.granted.grant, r.granted.offset, r.payload);
        return on_granted(from, r);
    case wire::RecordType::grant: {
        if (!send_flows_.is_theirs(r.grant.flow, from, handles_))
            return counters_.add(Counter::drop_bad_notice);
        CompletionEntry& e = new_entry(EntryKind::grant);
        e.flow = r.grant.flow;
        e.msg_no = r.grant.msg_no;
        e.tag = r.grant.offset;
        e.total = r.grant.length;
        e.inbound = r.grant.grant;
        return push_entry();
    }
    case wire::RecordType::done: {
        if (r.done.count == 0) return; // a knock
        if (!send_flows_.is_theirs(r.done.flow, from, handles_))
            return counters_.add(Counter::drop_bad_notice);
        CompletionEntry& e = new_entry(EntryKind::done);
        e.status = r.flags;
        e.flow = r.done.flow;
        e.msg_no = r.done.msg_no;
        e.length = r.done.count;
        return push_entry();
    }
    case wire::RecordType::abort:
        if (r.flags & wire::kRemote) return on_remote_abort(from, port, r.abort);
        return on_abort(from, port, r);
    case wire::RecordType::write: return on_write(from, port, r);
    case wire::RecordType::read: return on_read(from, port, r);
    case wire::RecordType::atomic: return on_atomic(from, port, r);
    case wire::RecordType::answer: return on_answer(from, r);
    }
}

QueuePair* Device::endpoint(uint32_t number, wire::PortId port) {
    if (number == 0) number = queue_pair_of(port);
    QueuePair* qp = number < queue_pairs_.size() ? queue_pairs_[number].get() : nullptr;
    return qp && qp->port != wire::kDataPort ? qp
                                             : nullptr; // a shared receive queue is no endpoint
}

// Message 0 says who sends the flow, if only by being aborted.
void Device::learn_source(RxFlow& flow, MsgNo no, const wire::RecordView& r) {
    const bool news = (r.flags & wire::kSource) && no == MsgNo(0) && flow.info.family == 0;
    if (news) flow.info = r.source;
    if (news || !flow.told) tell_flow(flow);
}

void Device::tell_flow(RxFlow& flow) {
    flow.told = true;
    CompletionEntry& e = new_entry(EntryKind::flow);
    e.flow = flow.slot;
    e.request = flow.queue_pair;
    set_address(e, wire::from_source(flow.info));
    push_entry();
}

void Device::count_placed(Way way, size_t bytes) {
    switch (way) {
    case Way::direct:
        counters_.add(Counter::rx_direct_packets);
        counters_.add(Counter::rx_direct_bytes, bytes);
        break;
    case Way::bounce:
        counters_.add(Counter::rx_indirect_packets);
        counters_.add(Counter::rx_indirect_bytes, bytes);
        break;
    case Way::discard: counters_.add(Counter::rx_refused_bytes, bytes); break;
    case Way::stale: counters_.add(Counter::drop_stale); break;
    case Way::reject: counters_.add(Counter::drop_bad_grant); break;
    }
}

// Gives a posted receive (or the next part of a multi-receive buffer) to a message.
void Device::take(PostedReceive& r, MatchTable& table, uint64_t total, Inbound* in,
                  CompletionEntry& e, IovView& iov, uint64_t& base, uint64_t& capacity) {
    e.request = r.request;
    iov = r.iov;
    base = r.used;
    capacity = r.length - r.used;
    bool spent = true;
    if (r.multi) {
        e.flags |= kEntryMulti;
        e.buffer = static_cast<std::byte*>(r.iov.entries[0].iov_base) + base;
        capacity = std::min(capacity, total); // what follows belongs to the next message
        r.used += capacity;
        spent = r.length - r.used < r.minimum || r.length == r.used;
        if (spent) e.flags |= kEntryRelease;
    }
    if (spent) unpost(table, r);
    if (in) steer(*in, iov, base, capacity, e.request);
}

void Device::steer(Inbound& in, IovView iov, uint64_t base, uint64_t capacity, uint32_t request) {
    if (in.destination == Destination::bounce) {
        size_t n = std::min<uint64_t>(in.unscheduled, capacity);
        scatter(iov, base, {in.bounce, n});
        bounce_.give_back(in.bounce);
        in.bounce = nullptr;
    }
    in.destination = Destination::user;
    in.iov = iov;
    in.iov_base = base;
    in.capacity = capacity;
    in.request = request;
}

Inbound* Device::open_inbound(RxFlow& flow, MsgNo no, uint32_t unscheduled) {
    Inbound* in = inbound_.make(flow, no); // check() has made sure of room
    in->unscheduled = unscheduled;
    return in;
}

void Device::free_inbound(Inbound& in) {
    if (in.chunked) [[unlikely]]
        dedup_.abort(in.chunked);
    bounce_.give_back(in.bounce);
    inbound_.free(in);
}

void Device::place_payload(Inbound& in, uint64_t offset, std::span<const std::byte> payload) {
    switch (in.destination) {
    case Destination::user: {
        uint64_t room = in.capacity > offset ? in.capacity - offset : 0;
        scatter(in.iov, in.iov_base + offset,
                payload.first(std::min<uint64_t>(room, payload.size())));
        count_placed(Way::direct, payload.size());
        if (dedup_.active()) [[unlikely]]
            chunk_payload(in, offset, payload.size());
        break;
    }
    case Destination::bounce:
        std::memcpy(in.bounce + offset, payload.data(), payload.size());
        count_placed(Way::bounce, payload.size());
        break;
    case Destination::discard: count_placed(Way::discard, payload.size()); break;
    }
}

// Whether an envelope is that of the message whose fragments came before: there is one of them, and it
// announces what they did, of which no more can come than is missing.
static bool continues(const Inbound& in, const wire::Message& m, size_t payload) {
    return !in.has_envelope && in.unscheduled == m.unscheduled &&
           payload <= in.unscheduled - in.unscheduled_got;
}

void Device::on_message(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    const wire::Message& m = r.message;
    QueuePair* qp = endpoint(m.queue_pair, port);
    RxFlow* flow = qp ? flows_.get(from, m.flow, qp->number) : nullptr;
    if (!flow) {
        counters_.add(Counter::drop_no_queue_pair);
        notify(from, m.flow, m.msg_no, Status::no_queue_pair);
        return;
    }
    MsgNo no(m.msg_no);
    learn_source(*flow, no, r);
    Inbound* in = inbound_.find(*flow, no);
    if (in && !continues(*in, m, r.payload.size())) return counters_.add(Counter::drop_malformed);
    bool tagged = r.flags & wire::kTagged;
    MatchTable& table = qp->table(tagged);
    PlacementFacts facts{
        .kind = PlacementFacts::Kind::envelope, .endpoint = true, .in_bounds = true};
    facts.over = no < flow->turn;
    facts.in_turn = no == flow->turn && flow->introduced;
    PostedReceive* posted = facts.in_turn ? table.find(m.tag, flow->source) : nullptr;
    facts.matched = posted != nullptr;

    bool whole = r.payload.size() == m.unscheduled && !in; // nothing more comes unasked
    bool single = whole && m.unscheduled == m.total;
    std::byte* bounce = nullptr;
    if (!facts.over && !facts.matched && !in && (single || m.unscheduled > 0))
        bounce = bounce_.take(single ? r.payload.size() : m.unscheduled);
    facts.bounce_room = bounce != nullptr || m.unscheduled == 0 || in;

    Way way = decide(facts);
    if (way == Way::stale || way == Way::reject) {
        count_placed(way, r.payload.size());
        return;
    }
    if (!single && !in) {
        in = open_inbound(*flow, no, m.unscheduled);
        if (bounce) {
            in->destination = Destination::bounce;
            in->bounce = bounce;
        }
    }
    if (in) in->has_envelope = true;
    // Fragments came before and found no room; a receive that takes the message cannot have them.
    bool refused = in && in->destination == Destination::discard && in->unscheduled_got > 0;

    CompletionEntry& e = new_entry(facts.matched   ? EntryKind::matched
                                   : facts.in_turn ? EntryKind::unexpected
                                                   : EntryKind::early);
    e.flags = (tagged ? kEntryTagged : 0) | (r.flags & wire::kImmediate ? kEntryImmediate : 0) |
              (r.flags & wire::kDelivery ? kEntryDelivery : 0) |
              (r.flags & wire::kUnawaited ? kEntryUnawaited : 0);
    e.flow = flow->slot;
    e.msg_no = m.msg_no;
    e.tag = m.tag;
    e.immediate = r.immediate;
    e.total = m.total;
    e.unscheduled = m.unscheduled;
    if (posted) {
        IovView iov;
        uint64_t base, capacity;
        const bool reports = posted->reports;
        const bool bounced = in && in->destination == Destination::bounce;
        take(*posted, table, m.total, in, e, iov, base, capacity);
        if (single) {
            scatter(iov, base, r.payload.first(std::min<uint64_t>(capacity, r.payload.size())));
            count_placed(Way::direct, r.payload.size());
        }
        if (dedup_.active()) [[unlikely]] {
            if (in)
                start_chunks(*in, *qp, reports, m.total, bounced);
            else
                chunk_whole(*qp, reports, iov, base, std::min(capacity, m.total));
        }
    } else if (single) {
        if (way == Way::bounce && m.unscheduled > 0)
            std::memcpy(bounce, r.payload.data(), r.payload.size());
        if (way == Way::discard) { // kept as an inbound message that the grant asks for in whole
            in = open_inbound(*flow, no, m.unscheduled);
            in->has_envelope = true;
            in->unscheduled_got = m.unscheduled;
        }
        count_placed(way, r.payload.size());
        e.buffer = bounce;
        e.length = static_cast<uint32_t>(r.payload.size());
    }
    if (in) {
        if (!single) {
            place_payload(*in, 0, r.payload);
            in->unscheduled_got += static_cast<uint32_t>(r.payload.size());
        }
        e.inbound = inbound_.id(*in);
        refused |= in->destination == Destination::discard && in->unscheduled > 0;
        if (refused) e.flags |= kEntryRefused;
    }
    if (single || in->arrived()) e.flags |= kEntryComplete;
    if (facts.in_turn) ++flow->turn;
    push_entry();
}

void Device::on_fragment(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    const wire::Fragment& g = r.fragment;
    QueuePair* qp = endpoint(g.queue_pair, port);
    RxFlow* flow = qp ? flows_.get(from, g.flow, qp->number) : nullptr;
    MsgNo no(g.msg_no);
    Inbound* in = flow ? inbound_.find(*flow, no) : nullptr;
    PlacementFacts facts{.kind = PlacementFacts::Kind::fragment, .endpoint = flow != nullptr};
    facts.in_bounds = !in || (in->unscheduled == g.unscheduled &&
                              r.payload.size() <= in->unscheduled - in->unscheduled_got);
    facts.over = flow && !in && no < flow->turn;
    facts.matched = in && in->destination == Destination::user;
    if (flow && !in && !facts.over) { // before its envelope
        if (!flow->told) tell_flow(*flow);
        in = open_inbound(*flow, no, g.unscheduled);
        in->bounce = bounce_.take(g.unscheduled);
        if (in->bounce) in->destination = Destination::bounce;
    }
    facts.bounce_room = in && in->destination == Destination::bounce;
    switch (decide(facts)) {
    case Way::stale: counters_.add(Counter::drop_stale); return;
    case Way::reject:
        counters_.add(flow ? Counter::drop_malformed : Counter::drop_no_queue_pair);
        return;
    case Way::direct:
    case Way::bounce:
    case Way::discard: break;
    }
    place_payload(*in, g.offset, r.payload);
    in->unscheduled_got += static_cast<uint32_t>(r.payload.size());
    if (!in->has_envelope || !in->arrived()) return;
    CompletionEntry& e = new_entry(EntryKind::finished);
    e.flow = flow->slot;
    e.msg_no = g.msg_no;
    e.request = in->request;
    e.inbound = inbound_.id(*in);
    push_entry();
}

void Device::on_granted(transport::Context& from, const wire::RecordView& r) {
    const wire::Granted& g = r.granted;
    Inbound* in = inbound_.find(g.grant);
    PlacementFacts facts{.kind = PlacementFacts::Kind::granted};
    facts.grant = in && in->flow->peer == from.peer() && in->destination == Destination::user;
    facts.in_bounds = facts.grant && g.offset >= in->grant_offset &&
                      g.offset - in->grant_offset <= in->grant_length &&
                      r.payload.size() <= in->grant_length - (g.offset - in->grant_offset) &&
                      r.payload.size() <= in->grant_length - in->grant_got;
    if (decide(facts) != Way::direct) {
        counters_.add(Counter::drop_bad_grant);
        return;
    }
    in->flow->context = from.id();
    place_payload(*in, g.offset, r.payload);
    in->grant_got += r.payload.size();
    if (in->grant_got < in->grant_length) return;
    CompletionEntry& e = new_entry(EntryKind::filled);
    e.flow = in->flow->slot;
    e.msg_no = in->msg_no.raw();
    e.request = in->request;
    e.inbound = g.grant;
    push_entry();
}

void Device::on_abort(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    QueuePair* qp = endpoint(r.abort.queue_pair, port);
    RxFlow* flow = qp ? flows_.get(from, r.abort.flow, qp->number) : nullptr;
    if (!flow) return;
    MsgNo no(r.abort.msg_no);
    learn_source(*flow, no, r);
    Inbound* in = inbound_.find(*flow, no);
    if (in && !in->has_envelope) { // nobody knows of it: it becomes a message that never came
        free_inbound(*in);
        in = nullptr;
    }
    if (!in && no < flow->turn) return;
    CompletionEntry& e = new_entry(EntryKind::aborted);
    e.flow = flow->slot;
    e.msg_no = r.abort.msg_no;
    if (in) {
        e.request = in->request;
        e.inbound = inbound_.id(*in);
    }
    push_entry();
}

} // namespace rill::nic
