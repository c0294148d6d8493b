// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the oracle sees while a run goes on: each completion by itself.
#include "sim/oracle.hpp"

#include "sim/naming.hpp"

#include <algorithm>

namespace rill::sim {
namespace {

// Beyond the time-out: probes are that far apart, and a host is late now and then.
constexpr Duration kDeathSlack = std::chrono::seconds(4);

unsigned long long wide(uint64_t v) {
    return v;
}

} // namespace

uint32_t Oracle::add_party(uint32_t host) {
    Party p;
    p.host = host;
    parties_.push_back(p);
    receive_orders_.push_back(0);
    blind_.push_back(0);
    if (names_.size() <= host) names_.resize(host + 1);
    excused_.resize(names_.size());
    reset_.resize(names_.size());
    return static_cast<uint32_t>(parties_.size() - 1);
}

void Oracle::name(uint32_t host, uint32_t endpoint, rdm::SourceId id) {
    names_[host].resize(parties_.size(), rdm::kUnknownSource);
    names_[host][endpoint] = id;
}

rdm::SourceId Oracle::name_of(uint32_t host, uint32_t endpoint) const {
    return endpoint < names_[host].size() ? names_[host][endpoint] : rdm::kUnknownSource;
}

uint32_t Oracle::endpoint_named(uint32_t host, rdm::SourceId id) const {
    const auto& names = names_[host];
    const auto it = std::ranges::find(names, id);
    return it == names.end() ? kNobody : static_cast<uint32_t>(it - names.begin());
}

void Oracle::excuse_host(uint32_t host) {
    excused_[host] = true;
}

bool Oracle::excused(uint32_t a, uint32_t b) const {
    return excused_[a] || excused_[b];
}

void Oracle::reset_host(uint32_t host) {
    reset_[host] = true;
    // What somebody holds and has not received is gone, and nothing is said of it.
    for (Receive& r : receives_)
        if (parties_[r.at].host == host && r.claimed && !r.buffer.held())
            finish(r, Status::io_error);
}

bool Oracle::reset_between(uint32_t a, uint32_t b, Instant begun) const {
    return (reset_[a] || reset_[b]) && begun < heard_at_;
}

Message& Oracle::draft_message() {
    messages_.emplace_back();
    messages_.back().id = static_cast<uint32_t>(messages_.size() - 1);
    return messages_.back();
}

Receive& Oracle::draft_receive() {
    receives_.emplace_back();
    receives_.back().id = static_cast<uint32_t>(receives_.size() - 1);
    return receives_.back();
}

void Oracle::posted(Message& m) {
    m.posted = true;
    m.posted_at = clock_.now();
    m.order = flow_orders_[uint64_t{m.from} << 32 | m.to]++;
    if (m.length >= 8) by_first_word_[payload_word(m.seed, 0)] = m.id;
    journal_.note("endpoint %u sends message %u to %u: %llu bytes, %s %llu, level %d%s%s", m.from,
                  m.id, m.to, wide(m.length), m.tagged ? "tag" : "untagged", wide(m.tag),
                  static_cast<int>(m.level), m.inject ? ", inject" : "",
                  m.has_data ? ", data" : "");
}

void Oracle::posted(Receive& r) {
    static constexpr const char* kinds[] = {"receive", "peek", "claim", "discard"};
    r.posted = true;
    r.posted_at = clock_.now();
    r.order = receive_orders_[r.at]++;
    journal_.note("endpoint %u posts %s %u: %zu bytes, %s %llx/%llx from %d%s", r.at,
                  kinds[static_cast<size_t>(r.kind)], r.id, r.buffer.bytes(),
                  r.tagged ? "tag" : "untagged", wide(r.tag), wide(r.ignore),
                  static_cast<int>(r.from), r.multi ? ", multi" : "");
}

void Oracle::cancelling(Receive& r) {
    r.cancelling = true;
    r.cancelled_at = clock_.now();
    journal_.note("endpoint %u cancels receive %u", r.at, r.id);
}

void Oracle::endpoint_over(uint32_t endpoint, bool crashed, bool left) {
    Party& p = parties_[endpoint];
    p.crashed |= crashed; // of a closed one, too: what it had copied goes with its host
    p.left |= left;
    if (p.over) return;
    p.over = true;
    p.over_at = clock_.now();
}

// ---- sends --------------------------------------------------------------------------------------

void Oracle::sent(uint32_t endpoint, const rdm::Completion& c) {
    if (c.kinds & (rdm::kRma | rdm::kAtomic)) {
        errors_ += !is_ok(c.status);
        return remote_.completed(endpoint, c);
    }
    const uint64_t id = id_of(c.context);
    if (id >= messages_.size()) return journal_.fail("a send completes that nobody posted");
    Message& m = messages_[id];
    journal_.mix(id << 8 ^ static_cast<uint64_t>(c.status));
    journal_.note("message %u is sent: %s", m.id, to_string(c.status));
    if (!m.posted || m.from != endpoint || parties_[endpoint].over)
        return journal_.fail("message %u completes at the wrong endpoint or time", m.id);
    if (m.over) return journal_.fail("message %u completes twice", m.id);
    if (c.kinds != (rdm::kSend | (m.tagged ? rdm::kTaggedKind : rdm::kMsg)))
        journal_.fail("message %u completes as what it is not: kinds %x", m.id, c.kinds);
    m.over = true;
    m.status = c.status;
    m.over_at = clock_.now();
    m.buffer.release();
    if (!is_ok(c.status)) {
        ++errors_;
        check_send_error(m);
    } else if (!m.report) {
        journal_.fail("message %u asked for no completion and got one", m.id);
    } else {
        check_delivered(m);
    }
}

void Oracle::check_send_error(const Message& m) {
    const Party& from = parties_[m.from];
    const Party& to = parties_[m.to];
    const char* what = to_string(m.status);
    const bool reset = reset_between(from.host, to.host, m.posted_at);
    if (m.status == Status::io_error && reset && reset_[from.host]) return;
    if (m.status == Status::bad_key && reset && reset_[to.host]) return; // its regions went first
    switch (m.status) {
    case Status::unreachable:
    case Status::dead:
    case Status::gone:
    case Status::no_queue_pair:
    case Status::aborted: break;
    default: journal_.fail("message %u fails with a strange code: %s", m.id, what);
    }
    if (reset || excused(from.host, to.host)) return;
    if (!to.over) {
        journal_.fail("message %u from %u to %u fails, but its destination lives: %s", m.id, m.from,
                      m.to, what);
        return;
    }
    const Duration late = clock_.now() - std::max(m.posted_at, to.over_at);
    if (to.crashed && late > peer_timeout_ + kDeathSlack)
        journal_.fail("message %u fails %lld ms after its destination's death", m.id,
                      static_cast<long long>(to_us(late) / 1000));
}

// A delivery-complete send promises that the bytes are in the buffer. Where content cannot tell the
// messages apart, nothing can be said.
void Oracle::check_delivered(const Message& m) {
    if (m.level != rdm::Level::delivery || m.consumed || parties_[m.to].over) return;
    if (blind_[m.to] > 0 || (m.length < 8 && !m.has_data)) return;
    journal_.fail("message %u is reported as delivered, but was not received yet", m.id);
}

// ---- receives -----------------------------------------------------------------------------------

void Oracle::received(uint32_t endpoint, const rdm::Completion& c) {
    if (c.kinds & rdm::kRma) return remote_.told(endpoint, c);
    const uint64_t id = id_of(c.context);
    if (id >= receives_.size()) return journal_.fail("a receive completes that nobody posted");
    Receive& r = receives_[id];
    journal_.mix(id << 8 ^ static_cast<uint64_t>(c.status) ^ c.length << 32);
    journal_.note("receive %u at %u: %s, %llu bytes (+%llu), tag %llx, source %lld, kinds %x", r.id,
                  r.at, to_string(c.status), wide(c.length), wide(c.overflow), wide(c.tag),
                  static_cast<long long>(c.source), c.kinds);
    if (!r.posted || r.at != endpoint || parties_[endpoint].over)
        return journal_.fail("receive %u completes at the wrong endpoint or time", r.id);
    if (r.over) return journal_.fail("receive %u completes twice", r.id);
    if (c.kinds == rdm::kMultiRelease) {
        if (!r.multi || !is_ok(c.status)) journal_.fail("receive %u releases no buffer", r.id);
        return finish(r, c.status);
    }
    const uint32_t kind = r.tagged ? rdm::kTaggedKind : rdm::kMsg;
    if ((c.kinds & (rdm::kSend | rdm::kRecv | rdm::kMsg | rdm::kTaggedKind)) != (rdm::kRecv | kind))
        journal_.fail("receive %u completes as what it is not: kinds %x", r.id, c.kinds);
    if (c.kinds & rdm::kPeek) return peek_answered(r, c);
    const bool unmatched = c.source == rdm::kUnknownSource && c.length == 0 && c.overflow == 0;
    if (c.status == Status::canceled || (unmatched && !is_ok(c.status))) {
        ended_unmatched(r, c);
    } else {
        take(r, c);
    }
}

void Oracle::finish(Receive& r, Status status) {
    r.over = true;
    r.claimed = false;
    r.status = status;
    r.over_at = clock_.now();
    r.buffer.release();
}

void Oracle::peek_answered(Receive& r, const rdm::Completion& c) {
    if (r.kind == Receive::Kind::post) return journal_.fail("receive %u is no peek", r.id);
    if (c.status == Status::not_found) return finish(r, c.status);
    if (!is_ok(c.status)) return journal_.fail("peek %u fails: %s", r.id, to_string(c.status));
    switch (r.kind) {
    case Receive::Kind::post:
    case Receive::Kind::peek: finish(r, c.status); break;
    case Receive::Kind::claim:
        r.claimed = true;
        r.claimed_length = c.length;
        if (c.kinds & rdm::kRemoteData) r.claimed_data = c.data;
        break;
    case Receive::Kind::discard: take(r, c); break;
    }
}

// A receive that no message has taken: cancelled, or its only source is over.
void Oracle::ended_unmatched(Receive& r, const rdm::Completion& c) {
    if (c.status == Status::canceled) {
        if (!r.cancelling) journal_.fail("receive %u is canceled by nobody", r.id);
    } else {
        ++errors_;
        const uint32_t here = parties_[r.at].host;
        const uint32_t there = r.from == kNobody ? here : parties_[r.from].host;
        const bool reason = reset_between(here, there, r.posted_at) ||
                            (r.from != kNobody && (parties_[r.from].over || excused(there, here)));
        if (!reason)
            journal_.fail("receive %u fails without a reason: %s", r.id, to_string(c.status));
    }
    finish(r, c.status);
}

void Oracle::take(Receive& r, const rdm::Completion& c) {
    Consumption t;
    t.receive = r.id;
    t.tagged = r.tagged;
    t.status = c.status;
    t.tag = r.tagged ? c.tag : 0;
    const bool discarded = r.kind == Receive::Kind::discard || (r.claimed && !r.buffer.held());
    const bool dropped_claim = r.claimed && discarded; // reported without anything but its tag
    t.has_data = dropped_claim ? r.claimed_data != 0 : (c.kinds & rdm::kRemoteData) != 0;
    t.data = dropped_claim ? r.claimed_data : c.data;
    t.total = dropped_claim ? r.claimed_length : c.length + c.overflow;
    t.at = clock_.now();
    if (c.source != rdm::kUnknownSource) {
        t.from = endpoint_named(parties_[r.at].host, c.source);
        if (t.from == kNobody) journal_.fail("receive %u has a source that nobody named", r.id);
    }
    const bool sound = is_ok(c.status) || c.status == Status::truncated;
    t.whole = sound;
    if (r.multi)
        t.offset = static_cast<uint64_t>(static_cast<const std::byte*>(c.buffer) -
                                         static_cast<const std::byte*>(r.buffer.iov()->iov_base));
    if (!sound) {
        ++errors_;
    } else if (!discarded) {
        if (t.offset + c.length > r.buffer.bytes())
            return journal_.fail("receive %u has more bytes than its buffer", r.id);
        if ((c.status == Status::truncated) != (c.overflow > 0) ||
            (c.overflow > 0 && t.offset + c.length != r.buffer.bytes()))
            journal_.fail("receive %u is wrong about its truncation", r.id);
        bytes_received_ += c.length;
    }
    if (sound) identify(r, t, discarded ? 0 : c.length);
    if (sound && !discarded) check_content(r, t, c.length);
    if (t.message == kNobody) ++blind_[r.at];
    consumed_.push_back(t);
    if (!r.multi) finish(r, c.status);
}

// Which message this is, if its data or its first word say so.
void Oracle::identify(Receive& r, Consumption& t, uint64_t length) {
    if (t.has_data) {
        t.message = static_cast<uint32_t>(t.data ^ kDataMark);
        if (t.message >= messages_.size()) {
            t.message = kNobody;
            return journal_.fail("receive %u has data that nobody sent", r.id);
        }
    } else if (length >= 8) {
        const auto it = by_first_word_.find(r.buffer.peek_word(t.offset, 8));
        if (it == by_first_word_.end())
            return journal_.fail("receive %u: its first bytes are of no message", r.id);
        t.message = it->second;
    } else {
        t.prefix = r.buffer.peek_word(t.offset, length);
        t.prefix_bytes = length;
        return;
    }
    Message& m = messages_[t.message];
    if (m.consumed) journal_.fail("message %u is received twice, now by %u", m.id, r.id);
    m.consumed = true;
    if (t.from == kNobody) t.from = m.from;
    if (m.to != r.at || m.from != t.from || m.tagged != r.tagged || m.length != t.total ||
        (m.tagged && m.tag != t.tag) || m.has_data != t.has_data)
        journal_.fail("receive %u at %u gets message %u of %u, which was another: %llu bytes for "
                      "%llu, tag %llx for %llx",
                      r.id, r.at, m.id, m.from, wide(t.total), wide(m.length), wide(t.tag),
                      wide(m.tag));
    if (!r.fits(m)) journal_.fail("receive %u does not fit message %u, which it got", r.id, m.id);
}

void Oracle::check_content(const Receive& r, const Consumption& t, uint64_t length) {
    if (t.message != kNobody) {
        const Message& m = messages_[t.message];
        const uint64_t wrong = r.buffer.mismatch(m.seed, t.offset, length);
        if (wrong != UINT64_MAX)
            journal_.fail("receive %u: message %u (%llu bytes) is wrong from byte %llu on", r.id,
                          m.id, wide(m.length), wide(wrong));
    }
    if (!r.multi && !r.buffer.untouched_from(length))
        journal_.fail("receive %u: bytes behind its %llu were written", r.id, wide(length));
}

// ---- for the driver -----------------------------------------------------------------------------

uint64_t Oracle::unconsumed(uint32_t endpoint, bool tagged) const {
    uint64_t n = 0;
    for (const Message& m : messages_)
        if (m.posted && m.to == endpoint && m.tagged == tagged) ++n;
    for (const Consumption& c : consumed_)
        if (receives_[c.receive].at == endpoint && c.tagged == tagged && n > 0) --n;
    return n;
}

uint64_t Oracle::longest_open(uint32_t endpoint, bool tagged) const {
    uint64_t longest = 0;
    for (const Message& m : messages_)
        if (m.posted && m.to == endpoint && m.tagged == tagged && !m.consumed)
            longest = std::max(longest, m.length);
    return longest;
}

void Oracle::check_nothing_waits_for_the_dead() {
    for (const Receive& r : receives_) {
        if (!r.posted || r.over || r.from == kNobody || parties_[r.at].over) continue;
        const Party& from = parties_[r.from];
        if (!from.crashed && !from.left) continue;
        if (!network_.in_contact(parties_[r.at].host, from.host)) continue;
        journal_.fail("receive %u at %u waits for %u, which is %s", r.id, r.at, r.from,
                      from.crashed ? "dead" : "gone");
    }
}

void Oracle::check_nothing_hangs() {
    remote_.check_nothing_hangs();
    for (const Message& m : messages_)
        if (m.posted && !m.over && m.report && !parties_[m.from].over)
            journal_.fail("message %u from %u to %u hangs: %llu bytes, tag %llx%s", m.id, m.from,
                          m.to, wide(m.length), wide(m.tag),
                          parties_[m.to].over ? ", its destination is over" : "");
    for (const Receive& r : receives_)
        if (r.posted && !r.over && !parties_[r.at].over)
            journal_.fail("receive %u at %u hangs: tag %llx/%llx, from %d%s", r.id, r.at,
                          wide(r.tag), wide(r.ignore), static_cast<int>(r.from),
                          r.cancelling ? ", although cancelled" : "");
}

} // namespace rill::sim
