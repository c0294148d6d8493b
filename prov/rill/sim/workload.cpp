// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/workload.hpp"

#include "sim/naming.hpp"

#include <algorithm>
#include <cmath>

namespace rill::sim {
namespace {

using std::chrono::microseconds;

// A program that is told `again` this often turns to something else, as one that waits for a
// completion would; two programs that only send to each other would otherwise wait for ever.
constexpr uint32_t kTriesMax = 20;
constexpr uint64_t kHighTag = uint64_t{1} << 63;
constexpr size_t kSweepsAtOnce = 4;
constexpr uint64_t kMultiBytes = 6000;

} // namespace

Program::Program(EventQueue& events, Oracle& oracle, Host& host, size_t local, uint32_t endpoint,
                 const Profile& profile, uint64_t seed)
    : events_(events), oracle_(oracle), host_(host), local_(local), endpoint_(endpoint),
      profile_(profile), random_(seed), left_(profile.work.actions) {}

void Program::again_in(Duration mean) {
    const double wait = -std::log(1 - random_.unit()) * static_cast<double>(mean.count());
    events_.at(events_.now() + Duration(static_cast<int64_t>(wait)), *this);
}

void Program::fire(uint64_t) {
    if (finished()) return;
    if (!host_.running() || !endpoint_object()) {
        stopped_ = true;
        return;
    }
    if (events_.now() < host_.stalled_until()) {
        events_.at(host_.stalled_until(), *this);
        return;
    }
    if (wish_ == Wish::none) act();
    if (wish_ != Wish::none) {
        try_wish();
        if (wish_ != Wish::none) return again_in(microseconds(20));
    }
    --left_;
    again_in(profile_.work.think);
}

void Program::act() {
    if (random_.chance(profile_.work.remote)) return act_remotely();
    const double what = random_.unit();
    if (what < 0.5) return wish_send();
    if (what < 0.86) return wish_receive();
    if (what < 0.94) return look();
    if (what < 0.97) return cancel_some();
    settle_claims();
}

// ---- drawing ------------------------------------------------------------------------------------

uint64_t Program::draw_length() {
    const uint64_t packet = profile_.hosts[host_.number()].packet_bytes;
    const double what = random_.unit();
    if (what < profile_.work.big) {
        static constexpr uint64_t sizes[] = {65535, 65536, 65537, 100000, 1u << 20, (1u << 20) + 1};
        return sizes[random_.below(random_.chance(0.2) ? 6 : 4)] + random_.below(2);
    }
    if (what < 0.35) {
        static constexpr uint64_t sizes[] = {0, 1, 7, 8, 63, 64, 65, 255, 256, 257};
        return sizes[random_.below(std::size(sizes))];
    }
    if (what < 0.6) return random_.below(300);
    if (what < 0.8)
        return packet - random_.below(std::min<uint64_t>(packet, 120)) + random_.below(4);
    if (what < 0.9) return 16384 - 1 + random_.below(3);
    return random_.below(20000);
}

uint64_t Program::draw_tag() {
    const uint64_t tag = random_.below(profile_.work.tags);
    return random_.chance(0.1) ? tag | kHighTag : tag;
}

// Somebody that has a name here; kNobody when none of those tried has.
uint32_t Program::draw_destination() {
    for (int tries = 0; tries < 8; ++tries) {
        const auto to = static_cast<uint32_t>(random_.below(oracle_.parties()));
        const bool known = oracle_.name_of(host_.number(), to) != rdm::kUnknownSource;
        // Few words to the dead.
        if (known && (!oracle_.party(to).over || random_.chance(0.1))) return to;
    }
    return kNobody;
}

void Program::draw_message(Message& m) {
    const uint32_t receiver = oracle_.party(m.to).host;
    m.from = endpoint_;
    m.tagged = random_.chance(0.75);
    m.tag = m.tagged ? draw_tag() : 0;
    m.length = draw_length();
    m.has_data = random_.chance(0.3);
    // Short messages without data look alike: then the source must tell whose they are.
    const bool nameless = oracle_.name_of(receiver, endpoint_) == rdm::kUnknownSource;
    if (nameless || (m.length < 8 && !random_.chance(profile_.work.anonymous))) m.has_data = true;
    m.seed = m.length < 8 ? m.tag * 31 + m.from : random_.next();
    static constexpr rdm::Level levels[] = {rdm::Level::inject, rdm::Level::transmit,
                                            rdm::Level::transmit, rdm::Level::delivery};
    m.level = levels[random_.below(4)];
    m.inject = m.length <= rdm::kInjectBytesMax && random_.chance(0.5);
    m.report = random_.chance(0.85);
    split(m.buffer, m.length);
    m.buffer.fill(m.seed);
}

void Program::split(Buffer& buffer, uint64_t bytes) {
    const size_t pieces = random_.chance(0.7) ? 1 : 1 + random_.below(rdm::kIovMax);
    std::vector<uint64_t> cuts{0, bytes};
    for (size_t i = 1; i < pieces; ++i)
        cuts.push_back(random_.below(bytes + 1));
    std::ranges::sort(cuts);
    for (size_t i = 1; i < cuts.size(); ++i)
        buffer.add_piece(cuts[i] - cuts[i - 1]);
}

const Message* Program::some_message_for_me() {
    auto& messages = oracle_.messages();
    if (messages.empty()) return nullptr;
    // Looks at some of the latest: older ones have mostly been received.
    const size_t window = std::min<size_t>(messages.size(), 60);
    for (int tries = 0; tries < 30; ++tries) {
        const Message& m = messages[messages.size() - 1 - random_.below(window)];
        if (m.posted && m.to == endpoint_ && !m.consumed) return &m;
    }
    return nullptr;
}

// A receive that takes this very message, if nothing else comes before it.
void Program::aim(Receive& r, const Message& at) {
    r.tagged = at.tagged;
    r.tag = at.tag;
    if (random_.chance(0.4) && oracle_.name_of(host_.number(), at.from) != rdm::kUnknownSource)
        r.from = at.from;
}

void Program::loosen(Receive& r) {
    if (!r.tagged) return;
    const double what = random_.unit();
    if (what < 0.15)
        r.ignore = UINT64_MAX;
    else if (what < 0.3)
        r.ignore = 3;
    else if (what < 0.35)
        r.ignore = kHighTag;
}

void Program::draw_receive(Receive& r) {
    r.at = endpoint_;
    const bool blindly = random_.chance(profile_.work.receives_first);
    const Message* known = blindly ? nullptr : some_message_for_me();
    uint64_t bytes = draw_length();
    if (known) {
        aim(r, *known);
        bytes = known->length + random_.below(20);
        if (random_.chance(0.05)) bytes = random_.below(known->length + 1); // cuts it off
    } else {
        r.tagged = random_.chance(0.75);
        r.tag = r.tagged ? draw_tag() : 0;
        const uint32_t from = random_.chance(0.3) ? draw_destination() : kNobody;
        if (from != kNobody) r.from = from;
        if (random_.chance(0.8)) bytes = std::max<uint64_t>(bytes, 20000);
    }
    loosen(r);
    r.multi = r.kind == Receive::Kind::post && random_.chance(0.1);
    if (r.kind != Receive::Kind::post) return;
    if (r.multi)
        r.buffer.add_piece(random_.chance(0.5) ? kMultiBytes : 4 * bytes + 100);
    else
        split(r.buffer, bytes);
    r.buffer.fill_untouched();
}

// ---- acting -------------------------------------------------------------------------------------

void Program::wish_send() {
    const uint32_t to = draw_destination();
    if (to == kNobody) return;
    Message& m = oracle_.draft_message();
    m.to = to;
    draw_message(m);
    wish_ = Wish::send;
    wish_id_ = m.id;
    tries_ = 0;
}

void Program::wish_receive() {
    Receive& r = oracle_.draft_receive();
    draw_receive(r);
    wish_ = Wish::receive;
    wish_id_ = r.id;
    tries_ = 0;
}

void Program::try_wish() {
    const Status s = wish_ == Wish::send ? try_send() : try_receive();
    if (s == Status::again && ++tries_ < kTriesMax) return;
    if (!is_ok(s)) give_up();
    wish_ = Wish::none;
}

void Program::give_up() {
    if (wish_ == Wish::send)
        oracle_.messages()[wish_id_].buffer.release();
    else
        oracle_.receives()[wish_id_].buffer.release();
}

Status Program::try_send() {
    Message& m = oracle_.messages()[wish_id_];
    rdm::SendRequest q;
    q.iov = m.buffer.iov();
    q.iov_count = m.buffer.count();
    q.destination = oracle_.name_of(host_.number(), m.to);
    q.tag = m.tag;
    q.data = data_of(m.id);
    q.context = context_of(m.id);
    q.level = m.level;
    q.tagged = m.tagged;
    q.has_data = m.has_data;
    q.inject = m.inject;
    q.report = m.report;
    const Status s =
        q.iov_count > rdm::kIovMax ? Status::invalid : endpoint_object()->send(q, events_.now());
    if (is_ok(s)) {
        oracle_.posted(m);
        if (m.inject) m.buffer.release();
    }
    host_.settle();
    return s;
}

rdm::RecvRequest Program::request_of(const Receive& r) const {
    rdm::RecvRequest q;
    q.iov = r.buffer.iov();
    q.iov_count = r.buffer.count();
    q.source = r.from == kNobody ? rdm::kAnySource : oracle_.name_of(host_.number(), r.from);
    q.tag = r.tag;
    q.ignore = r.ignore;
    q.context = context_of(r.id);
    q.tagged = r.tagged;
    q.multi = r.multi;
    q.chunks = host_.chunks() && r.id % 2 == 0;
    if (q.chunks) host_.chunks()->posted(endpoint_, q);
    return q;
}

// What is refused for want of room is not tried again: another one will be.
void Program::act_remotely() {
    const uint32_t to = draw_destination();
    if (to == kNobody) return;
    oracle_.remote().act(host_, *endpoint_object(), endpoint_, to, random_);
}

Status Program::try_receive() {
    Receive& r = oracle_.receives()[wish_id_];
    const Status s = endpoint_object()->receive(request_of(r), events_.now());
    if (is_ok(s)) oracle_.posted(r);
    host_.settle();
    return s;
}

void Program::look() {
    static constexpr Receive::Kind kinds[] = {Receive::Kind::peek, Receive::Kind::claim,
                                              Receive::Kind::discard};
    Receive& r = oracle_.draft_receive();
    r.kind = kinds[random_.below(3)];
    draw_receive(r);
    rdm::PeekRequest q;
    q.source = r.from == kNobody ? rdm::kAnySource : oracle_.name_of(host_.number(), r.from);
    q.tag = r.tag;
    q.ignore = r.ignore;
    q.context = context_of(r.id);
    q.tagged = r.tagged;
    q.claim = r.kind == Receive::Kind::claim;
    q.discard = r.kind == Receive::Kind::discard;
    if (is_ok(endpoint_object()->peek(q, events_.now()))) oracle_.posted(r);
    host_.settle();
}

void Program::finish_claim(Receive& r) {
    const bool discard = random_.chance(0.3);
    if (!discard) {
        split(r.buffer, draw_length() + 1000);
        r.buffer.fill_untouched();
    }
    const Status s = endpoint_object()->receive_claimed(request_of(r), discard, events_.now());
    if (!is_ok(s)) r.buffer.release(); // again: another time
    host_.settle();
}

void Program::settle_claims() {
    auto& receives = oracle_.receives();
    for (size_t i = 0; i < receives.size(); ++i)
        if (Receive& r = receives[i]; r.at == endpoint_ && r.claimed && !r.buffer.held())
            finish_claim(r);
}

void Program::cancel_some() {
    auto& receives = oracle_.receives();
    for (int tries = 0; tries < 20 && !receives.empty(); ++tries) {
        Receive& r = receives[random_.below(receives.size())];
        if (r.at != endpoint_ || !r.posted || r.over || r.cancelling ||
            r.kind != Receive::Kind::post)
            continue;
        oracle_.cancelling(r);
        (void)endpoint_object()->cancel(context_of(r.id), events_.now());
        return host_.settle();
    }
}

void Program::cancel_all() {
    auto& receives = oracle_.receives();
    for (size_t i = 0; i < receives.size(); ++i) {
        Receive& r = receives[i];
        if (r.at != endpoint_ || !r.posted || r.over || r.kind != Receive::Kind::post) continue;
        oracle_.cancelling(r);
        (void)endpoint_object()->cancel(context_of(r.id), events_.now());
        host_.settle();
    }
}

void Program::greet(uint32_t to) {
    if (stopped_ || !host_.running() || !endpoint_object()) return;
    const bool known = oracle_.name_of(host_.number(), to) != rdm::kUnknownSource;
    if (!known || oracle_.party(to).over) return;
    Message& m = oracle_.draft_message();
    m.to = to;
    draw_message(m);
    wish_id_ = m.id;
    if (!is_ok(try_send())) m.buffer.release();
}

void Program::work_again(uint32_t actions) {
    wish_ = Wish::none;
    left_ = actions;
    start();
}

bool Program::sweep() {
    bool enough = true;
    for (const bool tagged : {true, false}) {
        size_t open = 0;
        for (const Receive& r : oracle_.receives())
            open += r.at == endpoint_ && r.sweeps && r.tagged == tagged && r.posted && !r.over;
        const uint64_t wanted = oracle_.unconsumed(endpoint_, tagged);
        enough &= open >= wanted;
        for (; open < std::min<uint64_t>(wanted, kSweepsAtOnce); ++open) {
            Receive& r = oracle_.draft_receive();
            r.at = endpoint_;
            r.tagged = tagged;
            r.ignore = UINT64_MAX;
            r.sweeps = true;
            split(r.buffer, oracle_.longest_open(endpoint_, tagged));
            r.buffer.fill_untouched();
            wish_id_ = r.id;
            if (!is_ok(try_receive())) r.buffer.release();
        }
    }
    return enough;
}

} // namespace rill::sim
