// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/world.hpp"

#include <algorithm>

namespace rill::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Generous: with the network healed, everything ends in a few round trips; what waits for the dead
// ends with their time-out.
constexpr Duration kWorkTime = seconds(300);
constexpr Duration kDrainTime = seconds(60);
constexpr Duration kDeathSlack = seconds(5);
constexpr Duration kIdleTime = seconds(60);
// A stack with nothing to do may look after contexts now and then, once for each.
constexpr uint64_t kIdlePasses = 64;
// Of the time-out: whoever is away for less must not be missed.
constexpr int kAwayAtMost = 3;
// To find out that a peer is another, that the destination has ended, and that it is there again.
constexpr int kGreetings = 4;
constexpr Duration kKnockTime = milliseconds(1500);
constexpr uint32_t kActionsAfterReset = 12;

} // namespace

void Totals::add(const Totals& o) {
    // All members are counters of one kind.
    auto* mine = reinterpret_cast<uint64_t*>(this);
    const auto* theirs = reinterpret_cast<const uint64_t*>(&o);
    static_assert(sizeof(Totals) % sizeof(uint64_t) == 0);
    for (size_t i = 0; i < sizeof(Totals) / sizeof(uint64_t); ++i)
        mine[i] += theirs[i];
}

World::World(const Profile& profile, bool verbose)
    : profile_(profile), events_(profile.start), journal_(events_, verbose),
      network_(events_, journal_, profile),
      oracle_(events_, journal_, network_, profile.stack.module.peer_timeout),
      random_(profile.seed ^ 0x776f726c64ull) {
    journal_.note("seed %llu: %s", static_cast<unsigned long long>(profile.seed),
                  describe(profile).c_str());
    build_hosts();
    name_everybody();
    schedule_faults();
}

void World::build_hosts() {
    for (uint32_t h = 0; h < profile_.hosts.size(); ++h) {
        hosts_.push_back(std::make_unique<Host>(events_, journal_, network_.link(h), profile_.stack,
                                                oracle_, random_.next()));
        oracle_.remote().add_host(*hosts_[h]);
        for (uint32_t e = 0; e < profile_.hosts[h].endpoints; ++e) {
            const uint32_t number = oracle_.add_party(h);
            hosts_[h]->open_endpoint(number);
            journal_.note("endpoint %u is at host %u", number, h);
            programs_.push_back(std::make_unique<Program>(events_, oracle_, *hosts_[h], e, number,
                                                          profile_, random_.next()));
        }
    }
}

// Every host knows every endpoint, in an order of its own; some names come late.
void World::name_everybody() {
    for (uint32_t h = 0; h < hosts_.size(); ++h) {
        std::vector<uint32_t> order(oracle_.parties());
        for (uint32_t e = 0; e < order.size(); ++e)
            order[e] = e;
        for (size_t i = order.size(); i > 1; --i)
            std::swap(order[i - 1], order[random_.below(i)]);
        for (const uint32_t e : order) {
            if (random_.chance(profile_.work.late_names))
                late_names_.emplace_back(h, e);
            else
                name(h, e);
        }
    }
    const Duration busy = profile_.work.think * profile_.work.actions + microseconds(1);
    for (size_t i = 0; i < late_names_.size(); ++i)
        events_.at(events_.now() + Duration(random_.below(static_cast<uint64_t>(busy.count()))),
                   *this, kFirstName + i);
}

void World::name(uint32_t host, uint32_t endpoint) {
    Host& owner = *hosts_[oracle_.party(endpoint).host];
    size_t local = 0;
    while (programs_[endpoint - local]->endpoint() != 0 && endpoint > local &&
           oracle_.party(endpoint - local - 1).host == owner.number())
        ++local;
    rdm::Endpoint* object = owner.endpoint(local);
    if (!object || !hosts_[host]->running()) return;
    rdm::SourceId id = rdm::kUnknownSource;
    const Status s = hosts_[host]->addresses().insert(object->address(), id);
    if (!is_ok(s)) return journal_.fail("an address is refused: %s", to_string(s));
    oracle_.name(host, endpoint, id);
    hosts_[host]->settle();
}

void World::schedule_faults() {
    faults_left_ = profile_.faults.size();
    for (size_t i = 0; i < profile_.faults.size(); ++i)
        events_.at(events_.now() + profile_.faults[i].at, *this, kFirstFault + i);
}

void World::fire(uint64_t argument) {
    if (argument == kTick) {
        ticked_ = true;
    } else if (argument >= kFirstName) {
        const auto [host, endpoint] = late_names_[argument - kFirstName];
        name(host, endpoint);
    } else {
        const Fault& fault = profile_.faults[argument - kFirstFault];
        const Instant awake = hosts_[fault.host]->stalled_until();
        const bool by_itself = fault.kind == Fault::Kind::leave ||
                               fault.kind == Fault::Kind::close || fault.kind == Fault::Kind::reset;
        if (by_itself && awake > events_.now()) return events_.at(awake, *this, argument);
        --faults_left_;
        strike(fault);
    }
}

// ---- faults -------------------------------------------------------------------------------------

void World::end_host(uint32_t host, bool crashed, bool left) {
    for (uint32_t e = 0; e < oracle_.parties(); ++e) {
        if (oracle_.party(e).host != host) continue;
        oracle_.endpoint_over(e, crashed, left);
        programs_[e]->stop();
    }
}

void World::strike(const Fault& f) {
    Host& host = *hosts_[f.host];
    if (!host.running()) return;
    switch (f.kind) {
    case Fault::Kind::stall:
        ++totals_.stalls;
        journal_.note("host %u stalls for %lld ms", f.host,
                      static_cast<long long>(to_us(f.length) / 1000));
        if (f.length * kAwayAtMost > profile_.stack.module.peer_timeout)
            oracle_.excuse_host(f.host);
        host.stall(f.length);
        break;
    case Fault::Kind::kill:
    case Fault::Kind::power_off:
        ++totals_.crashes;
        journal_.note("host %u crashes", f.host);
        host.crash(f.kind == Fault::Kind::kill ? SimLink::Power::killed : SimLink::Power::off);
        end_host(f.host, true, false);
        break;
    case Fault::Kind::leave:
        ++totals_.leaves;
        journal_.note("host %u leaves", f.host);
        host.leave();
        end_host(f.host, false, true);
        break;
    case Fault::Kind::shrink:
        ++totals_.shrinks;
        journal_.note("the route of host %u shrinks", f.host);
        network_.link(f.host).shrink_packets();
        break;
    case Fault::Kind::reset:
        ++totals_.resets;
        journal_.note("the device of host %u is reset", f.host);
        oracle_.reset_host(f.host);
        if (!is_ok(host.module().reset_device(events_.now())))
            journal_.fail("the device of host %u does not come up again", f.host);
        if (ChunkLedger* chunks = host.chunks()) chunks->reset();
        host.settle();
        break;
    case Fault::Kind::evict:
        journal_.note("host %u evicts what is idle", f.host);
        host.device().transport().evict_idle();
        host.settle();
        break;
    case Fault::Kind::cut:
        journal_.note("link %u of host %u is cut", f.endpoint, f.host);
        network_.link(f.host).cut(f.endpoint, events_.now() + f.length);
        break;
    case Fault::Kind::deafen:
        journal_.note("nobody hears link %u of host %u", f.endpoint, f.host);
        network_.link(f.host).deafen(f.endpoint, events_.now() + f.length);
        break;
    case Fault::Kind::slow:
        journal_.note("link %u of host %u is slow", f.endpoint, f.host);
        network_.link(f.host).slow_down(f.endpoint, events_.now() + f.length);
        break;
    case Fault::Kind::close: {
        ++totals_.closes;
        uint32_t endpoint = 0;
        while (oracle_.party(endpoint).host != f.host)
            ++endpoint;
        endpoint += f.endpoint;
        journal_.note("endpoint %u closes", endpoint);
        host.close_endpoint(f.endpoint);
        oracle_.endpoint_over(endpoint, false, false);
        programs_[endpoint]->stop();
        break;
    }
    }
}

// ---- the story ----------------------------------------------------------------------------------

void World::advance(Duration by) {
    ticked_ = false;
    events_.at(events_.now() + by, *this, kTick);
    while (!ticked_)
        events_.run_next();
}

void World::work() {
    for (auto& p : programs_)
        p->start();
    wait_for_programs();
}

void World::wait_for_programs() {
    const Instant limit = events_.now() + kWorkTime;
    const auto busy = [&] {
        return faults_left_ > 0 ||
               std::ranges::any_of(programs_, [](auto& p) { return !p->finished(); });
    };
    while (busy() && events_.now() < limit)
        advance(milliseconds(1));
    if (busy()) journal_.fail("the programs do not come to an end");
}

bool World::busy_with_death() const {
    return std::ranges::any_of(hosts_, [&](auto& h) {
        return h->stalled_until() > events_.now() || h->state() == Host::State::leaving;
    });
}

// Nothing is under way at any host that lives.
bool World::settled() {
    for (auto& h : hosts_) {
        if (!h->running()) continue;
        if (h->module().send_operations().live() > 0 || h->module().arrivals().live() > 0 ||
            h->module().outstanding())
            return false;
    }
    return true;
}

void World::drain() {
    network_.heal();
    Duration step = microseconds(50);
    Instant limit = events_.now() + kDrainTime;
    for (auto& h : hosts_)
        limit = std::max(limit, h->stalled_until() + kDrainTime);
    int quiet = 0;
    while (events_.now() < limit && quiet < 3) {
        bool enough = true;
        for (auto& p : programs_) {
            Host& host = *hosts_[oracle_.party(p->endpoint()).host];
            if (!host.running() || oracle_.party(p->endpoint()).over) continue;
            if (host.stalled_until() > events_.now()) continue;
            p->settle_claims();
            enough &= p->sweep();
        }
        const bool calm = !busy_with_death() && settled();
        quiet = calm ? quiet + 1 : 0;
        (void)enough;
        advance(step);
        step = std::min<Duration>(step * 2, milliseconds(20));
    }
}

// What was under way when a device was reset may be lost, and so may be what was sent before everybody
// had heard of it. Then all is as it was.
void World::work_after_resets() {
    if (totals_.resets == 0) return;
    for (int round = 0; round < kGreetings; ++round) {
        for (uint32_t to = 0; to < oracle_.parties(); ++to) {
            for (auto& p : programs_)
                p->greet(to);
            advance(milliseconds(5)); // there may be room for few at a time
        }
        advance(kKnockTime);
    }
    drain();
    oracle_.all_have_heard();
    for (auto& p : programs_)
        p->work_again(kActionsAfterReset);
    wait_for_programs();
    drain();
}

// Receives that only a dead endpoint could serve end with an error of their own accord.
void World::wait_for_deaths() {
    if (std::ranges::any_of(hosts_, [](auto& h) { return !h->running(); }))
        advance(profile_.stack.module.peer_timeout + kDeathSlack);
    oracle_.check_nothing_waits_for_the_dead();
}

void World::cancel_leftovers() {
    for (auto& p : programs_)
        if (!oracle_.party(p->endpoint()).over) p->cancel_all();
    advance(milliseconds(1));
    oracle_.check_nothing_hangs();
}

void World::check_memory() {
    for (auto& h : hosts_) {
        if (!h->running()) continue;
        rdm::Module& m = h->module();
        const nic::Device::Usage u = h->device().usage();
        if (m.send_operations().live() || m.receive_operations().live() || m.arrivals().live())
            journal_.fail("host %u keeps %u sends, %u receives, %u arrivals", h->number(),
                          m.send_operations().live(), m.receive_operations().live(),
                          m.arrivals().live());
        if (u.works || u.inbound || u.bounce_bytes || u.envelopes)
            journal_.fail("host %u keeps %u works, %u inbound messages, %llu bounce bytes, %u "
                          "envelopes",
                          h->number(), u.works, u.inbound,
                          static_cast<unsigned long long>(u.bounce_bytes), u.envelopes);
        if (u.fetches) journal_.fail("host %u keeps %u fetches", h->number(), u.fetches);
        if (m.outstanding()) journal_.fail("host %u has something outstanding", h->number());
    }
}

// With nothing to do, a stack sleeps: no periodic wake-ups.
void World::check_idle() {
    std::vector<uint64_t> passes;
    for (auto& h : hosts_)
        passes.push_back(h->passes());
    advance(kIdleTime);
    for (size_t i = 0; i < hosts_.size(); ++i) {
        const uint64_t more = hosts_[i]->passes() - passes[i];
        if (more > kIdlePasses)
            journal_.fail("host %zu makes %llu passes in %lld s with nothing to do", i,
                          static_cast<unsigned long long>(more),
                          static_cast<long long>(to_us(kIdleTime) / 1000000));
    }
}

void World::rest() {
    advance(seconds(5));
    check_memory();
    if (!journal_.failed()) check_idle();
}

// One after another, so that the last ones have nobody left to answer.
void World::leave_all() {
    for (auto& h : hosts_) {
        if (!h->running()) continue;
        end_host(h->number(), false, true);
        h->leave();
        if (random_.chance(0.5)) advance(microseconds(random_.below(3000)));
    }
    advance(seconds(1));
    for (auto& h : hosts_)
        if (h->state() == Host::State::leaving)
            journal_.fail("host %u does not get away", h->number());
}

void World::cover() {
    const PacketCounts& p = totals_.packets;
    const transport::Config& transport = profile_.stack.card.transport;
    uint64_t no_room = 0;
    for (auto& h : hosts_)
        no_room += h->counters().get(obs::Counter::drop_no_room);
    Coverage& c = totals_.coverage;
    c.note(FaultKind::lost, p.lost);
    c.note(FaultKind::lost_in_bursts, p.lost_in_bursts);
    c.note(FaultKind::lost_to_cuts, p.cut);
    c.note(FaultKind::duplicated, p.duplicated);
    c.note(FaultKind::reordered, p.reordered);
    c.note(FaultKind::replayed, p.replayed);
    c.note(FaultKind::corrupted, p.corrupted);
    c.note(FaultKind::truncated, p.truncated);
    c.note(FaultKind::overflowed, p.overflowed);
    c.note(FaultKind::refused, p.refused);
    c.note(FaultKind::strangers, p.garbage);
    c.note(FaultKind::again, p.again);
    c.note(FaultKind::broken, p.broken);
    c.note(FaultKind::wrapped, transport.first_psn ? hosts_.size() : 0);
    c.note(FaultKind::strict, transport.strict_open ? hosts_.size() : 0);
    c.note(FaultKind::stalls, totals_.stalls);
    c.note(FaultKind::crashes, totals_.crashes);
    c.note(FaultKind::leaves, totals_.leaves);
    c.note(FaultKind::resets, totals_.resets);
    c.note(FaultKind::closes, totals_.closes);
    c.note(FaultKind::shrinks, totals_.shrinks);
    c.note(FaultKind::evicted, totals_.evicted);
    c.note(FaultKind::errors, totals_.errors);
    c.note(FaultKind::payload_refused, totals_.refused_bytes);
    c.note(FaultKind::no_room, no_room);
}

RunResult World::result() {
    RunResult r;
    totals_.seeds = 1;
    totals_.failed = journal_.failed();
    totals_.messages = oracle_.messages_received();
    totals_.remote_operations = oracle_.remote().operations();
    totals_.bytes = oracle_.bytes_received();
    totals_.errors = oracle_.errors();
    totals_.packets = network_.counts();
    totals_.virtual_ms = static_cast<uint64_t>(to_us(events_.now() - profile_.start) / 1000);
    for (auto& h : hosts_) {
        totals_.retransmits += h->counters().get(obs::Counter::tx_retransmits);
        totals_.timeouts += h->counters().get(obs::Counter::tx_timeouts);
        totals_.probes += h->counters().get(obs::Counter::tx_tail_probes);
        totals_.spurious += h->counters().get(obs::Counter::tx_spurious);
        totals_.evicted += h->counters().get(obs::Counter::contexts_evicted);
        totals_.revived += h->counters().get(obs::Counter::contexts_revived);
        totals_.refused_bytes += h->counters().get(obs::Counter::rx_refused_bytes);
    }
    cover();
    r.totals = totals_;
    r.hash = journal_.hash();
    r.failures = journal_.failures();
    return r;
}

RunResult World::run() {
    work();
    drain();
    work_after_resets();
    wait_for_deaths();
    cancel_leftovers();
    oracle_.check_matching();
    oracle_.remote().check_memory();
    rest();
    leave_all();
    for (auto& h : hosts_)
        h->destroy();
    return result();
}

RunResult run_seed(uint64_t seed, bool verbose) {
    World world(draw_profile(seed), verbose);
    return world.run();
}

} // namespace rill::sim
