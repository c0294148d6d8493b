// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the oracle says of a run as a whole: which receive got which message, and whether that is what
// matching in order gives.
#include "sim/oracle.hpp"

#include "sim/naming.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace rill::sim {
namespace {

bool is_sound(Status s) {
    return is_ok(s) || s == Status::truncated;
}

} // namespace

// Whether losing the message breaks a promise. Reported as sent (or silently so) it must be there,
// as long as somebody is there to receive it; in advance of its sending, as long as its sender lives.
bool Oracle::must_arrive(const Message& m) const {
    const Party& from = parties_[m.from];
    const Party& to = parties_[m.to];
    if (to.over || (m.over && !is_ok(m.status))) return false;
    if (of_a_reset(m)) return false;
    const bool in_advance = m.level == rdm::Level::inject && m.length <= rdm::kInjectBytesMax;
    if (m.over && !in_advance) return true;
    if (excused(from.host, to.host) || from.crashed) return false;
    const bool copied = m.length <= rdm::kInjectBytesMax;
    if (from.left) return copied && flush_expected_;
    // Its endpoint was closed: what was copied goes on, the rest may have been dropped.
    return !from.over || copied;
}

bool Oracle::compatible(const Consumption& c, const Message& m) const {
    if (c.message != kNobody) return c.message == m.id;
    if (!c.whole) return !c.has_data || c.data == data_of(m.id);
    if (c.total != m.length || c.has_data != m.has_data) return false;
    if (c.has_data && c.data != data_of(m.id)) return false;
    const uint64_t mask = (uint64_t{1} << (c.prefix_bytes * 8)) - 1;
    return ((payload_word(m.seed, 0) ^ c.prefix) & mask) == 0;
}

// Order of taking: receives of one endpoint in the order of posting, a multi-receive's messages in
// the order of their places in it.
bool Oracle::before(uint32_t a, uint32_t b) const {
    const Consumption& x = consumed_[a];
    const Consumption& y = consumed_[b];
    return std::tuple(receives_[x.receive].order, x.offset, a) <
           std::tuple(receives_[y.receive].order, y.offset, b);
}

// Sent before everybody had heard of a reset at one of its ends: what comes later is sent by, or to,
// another device, and one does not wait for the other. That it came once and whole was seen already.
bool Oracle::of_a_reset(const Message& m) const {
    return reset_between(parties_[m.from].host, parties_[m.to].host, m.posted_at);
}

void Oracle::check_matching() {
    std::map<std::tuple<uint32_t, uint32_t, bool, uint64_t>, Class> classes;
    for (const Message& m : messages_)
        if (m.posted)
            classes[{m.from, m.to, m.tagged, m.tagged ? m.tag : 0}].messages.push_back(m.id);
    for (uint32_t i = 0; i < consumed_.size(); ++i) {
        const Consumption& c = consumed_[i];
        if (c.from == kNobody && !is_sound(c.status)) continue; // nobody can say whose it was
        if (c.message != kNobody && of_a_reset(messages_[c.message])) continue;
        classes[{c.from, receives_[c.receive].at, c.tagged, c.tag}].taken.push_back(i);
    }
    taken_by_.assign(messages_.size(), kNobody);
    for (auto& [key, c] : classes) {
        std::ranges::sort(c.taken, [this](uint32_t a, uint32_t b) { return before(a, b); });
        assign(c);
    }
    if (!journal_.failed()) check_order();
}

// The k-th message that a receive took must be the k-th that was sent, but for messages that were
// allowed to get lost. Short ones without data look alike, so it takes a table to find out whether
// there is any such reading: can[i][j] says that the takings from i on can be among the messages from
// j on, with none missing that must be there.
void Oracle::assign(const Class& c) {
    const size_t takings = c.taken.size(), sent = c.messages.size();
    std::vector<std::vector<bool>> can(takings + 1, std::vector<bool>(sent + 1));
    const auto fits = [&](size_t i, size_t j) {
        return compatible(consumed_[c.taken[i]], messages_[c.messages[j]]);
    };
    for (size_t i = takings + 1; i-- > 0;)
        for (size_t j = sent + 1; j-- > 0;)
            can[i][j] = (i == takings && j == sent) ||
                        (j < sent && can[i][j + 1] && !must_arrive(messages_[c.messages[j]])) ||
                        (i < takings && j < sent && can[i + 1][j + 1] && fits(i, j));
    if (!can[0][0]) return complain(c);
    for (size_t i = 0, j = 0; j < sent; ++j) {
        if (i < takings && can[i + 1][j + 1] && fits(i, j)) taken_by_[c.messages[j]] = c.taken[i++];
    }
}

// Names the first message that is not where it should be.
void Oracle::complain(const Class& c) {
    size_t next = 0;
    for (const uint32_t taken : c.taken) {
        const Consumption& t = consumed_[taken];
        while (next < c.messages.size() && !compatible(t, messages_[c.messages[next]]) &&
               !must_arrive(messages_[c.messages[next]]))
            ++next;
        if (next == c.messages.size())
            return journal_.fail(
                "receive %u took a message from %d (%llu bytes, tag %llx) that was "
                "never sent, or sent once and taken before",
                t.receive, static_cast<int>(t.from), static_cast<unsigned long long>(t.total),
                static_cast<unsigned long long>(t.tag));
        if (!compatible(t, messages_[c.messages[next]]))
            return journal_.fail(
                "receive %u overtook: message %u of its class comes next, it has %d", t.receive,
                c.messages[next], static_cast<int>(t.message));
        ++next;
    }
    for (; next < c.messages.size(); ++next) {
        const Message& m = messages_[c.messages[next]];
        if (!must_arrive(m)) continue;
        return journal_.fail("message %u from %u to %u is lost: %llu bytes, tag %llx, %s", m.id,
                             m.from, m.to, static_cast<unsigned long long>(m.length),
                             static_cast<unsigned long long>(m.tag),
                             m.over ? to_string(m.status) : "not reported");
    }
    journal_.fail("endpoint %u: %zu messages of a class became %zu", messages_[c.messages[0]].to,
                  c.messages.size(), c.taken.size());
}

void Oracle::check_order() {
    for (const Message& m : messages_)
        if (taken_by_[m.id] != kNobody) check_overtaking(m.id);
    for (const Receive& r : receives_)
        if (r.kind == Receive::Kind::post && r.posted && r.status == Status::canceled)
            check_passed_over(r);
    for (const Message& m : messages_) {
        const uint32_t t = taken_by_[m.id];
        if (t == kNobody || !m.over || is_ok(m.status) || !is_sound(consumed_[t].status)) continue;
        // Received by a program whose host took leave in order: it was acknowledged.
        const Party& to = parties_[m.to];
        if (to.left && flush_expected_ && !parties_[m.from].over &&
            !excused(parties_[m.from].host, to.host))
            journal_.fail("message %u was received, then its destination left: %s", m.id,
                          to_string(m.status));
    }
}

// Of one flow, an earlier message that fits the receive of a later one must have been taken by an
// earlier receive.
void Oracle::check_overtaking(uint32_t later) {
    const Message& m = messages_[later];
    const uint32_t taken = taken_by_[later];
    const Receive& r = receives_[consumed_[taken].receive];
    for (const Message& e : messages_) {
        if (!e.posted || e.from != m.from || e.to != m.to || e.order >= m.order || !r.fits(e))
            continue;
        if (of_a_reset(e)) continue;
        const uint32_t t = taken_by_[e.id];
        if (t == kNobody ? must_arrive(e) : before(taken, t))
            journal_.fail("receive %u took message %u, but message %u was sent before and fits",
                          r.id, m.id, e.id);
    }
}

// A receive that was still waiting when a later one took a message that fits it.
void Oracle::check_passed_over(const Receive& idle) {
    for (const Consumption& c : consumed_) {
        const Receive& r = receives_[c.receive];
        if (r.at != idle.at || r.order <= idle.order || c.at >= idle.cancelled_at ||
            c.message == kNobody || !idle.fits(messages_[c.message]))
            continue;
        journal_.fail("receive %u took message %u, but receive %u was posted before and fits", r.id,
                      c.message, idle.id);
    }
}

} // namespace rill::sim
