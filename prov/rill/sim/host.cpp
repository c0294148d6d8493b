// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/host.hpp"

#include <algorithm>

namespace rill::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr uint64_t kPacketsWait = 0; // argument of fire(); others are wake-ups
// A completion queue is full now and then.
constexpr double kQueueFull = 0.01;
constexpr double kLooksEverywhere = 0.3;
// A pass costs its time, or a spinning stack would stop the clock.
constexpr Duration kPassTime = std::chrono::nanoseconds(700);
// Flushing and farewells may take 200 ms each.
constexpr Duration kLeaveTime = milliseconds(450);
constexpr uint32_t kIdlePassesMax = 2000;
// Draws for dedup do not shift the others: a seed from before it shows the same run.
constexpr uint64_t kChunks = 0x6368756e6b73;

SipKey secret(Prng& random) {
    const uint64_t k0 = random.next();
    return {k0, random.next()};
}

} // namespace

Host::Host(EventQueue& events, Journal& journal, SimLink& link, const Stack& stack,
           CompletionListener& listener, uint64_t seed)
    : events_(events), journal_(journal), link_(link), listener_(listener),
      log_(journal, link.host()), random_(seed),
      card_(std::make_unique<nic::Card>(stack.card, link, secret(random_), counters_, log_)),
      module_(std::make_unique<rdm::Module>(stack.module, card_->bus(), log_)),
      addresses_(std::make_unique<rdm::AddressVector>(*module_)) {
    link_.wake(*this, kPacketsWait);
    Prng chunks(seed ^ kChunks);
    if (chunks.chance(0.5))
        chunks_ = std::make_unique<ChunkLedger>(*module_, journal_, link.host(), chunks.next());
}

Host::~Host() {
    destroy();
}

void Host::Sink::complete(const rdm::Completion& c) {
    if (is_receive && host->chunks_) host->chunks_->completed(c);
    if (!c.report && is_ok(c.status)) return; // only counted
    host->completions_.push_back({endpoint, is_receive, c});
}

bool Host::Sink::has_room() const {
    return !host->random_.chance(kQueueFull);
}

void Host::open_endpoint(uint32_t number) {
    Slot slot;
    for (auto* sink : {&slot.tx, &slot.rx}) {
        *sink = std::make_unique<Sink>();
        (*sink)->host = this;
        (*sink)->endpoint = number;
    }
    slot.rx->is_receive = true;
    wire::Address any = link_.data_address().with_port(0);
    const Status s = module_->open_endpoint(any, *addresses_, *slot.tx, *slot.rx, slot.endpoint);
    if (!is_ok(s)) journal_.fail("endpoint %u does not open: %s", number, to_string(s));
    if (chunks_ && is_ok(s)) chunks_->attach(*slot.endpoint);
    endpoints_.push_back(std::move(slot));
}

void Host::settle() {
    // Completions may make the listener post again, and that complete at once.
    while (!completions_.empty()) {
        std::vector<Pending> batch;
        batch.swap(completions_);
        for (const Pending& p : batch) {
            if (p.is_receive)
                listener_.received(p.endpoint, p.completion);
            else
                listener_.sent(p.endpoint, p.completion);
        }
    }
    if (module_) wake_at(module_->next_deadline());
}

void Host::run_and_settle() {
    module_->progress(events_.now(), random_.chance(kLooksEverywhere));
    settle();
}

// Nobody wakes up on the instant: a timer is late by the host's lateness, now and then by far.
void Host::wake_at(Instant when) {
    if (when == kNever) return;
    when = std::max(when, events_.now() + kPassTime);
    when = std::max(when, stalled_until_);
    if (when >= wake_) return;
    const auto late = static_cast<uint64_t>(link_.profile().lateness.count());
    wake_ = when;
    events_.at(when + Duration(random_.below(late + 1)), *this, ++wakes_);
}

void Host::fire(uint64_t argument) {
    if (state_ == State::crashed || state_ == State::left || !module_) return;
    if (argument == kPacketsWait) {
        wake_at(events_.now());
        return;
    }
    if (argument != wakes_) return;
    wake_ = kNever;
    if (events_.now() < stalled_until_) {
        wake_at(stalled_until_);
        return;
    }
    pass();
}

void Host::pass() {
    const Instant now = events_.now();
    // Its own port is looked at on every pass, the endpoints' when something woke us up there.
    const bool everywhere = link_.waiting_elsewhere() || random_.chance(kLooksEverywhere);
    const bool moved = module_->progress(now, everywhere);
    ++passes_;
    settle();
    if (!module_) return;
    if (state_ == State::leaving) {
        if (module_->left(now)) {
            state_ = State::left;
            link_.set_power(SimLink::Power::killed);
            journal_.note("host %u has left", number());
            return;
        }
        if (now > leave_by_) {
            journal_.fail("host %u wants to leave and does not get away", number());
            crash(SimLink::Power::killed);
            return;
        }
        wake_at(now + milliseconds(5)); // left() may depend on time alone
    }
    watch_for_spinning(moved, module_->next_deadline());
    if (moved || link_.waiting()) wake_at(now);
}

void Host::watch_for_spinning(bool moved, Instant next) {
    if (moved || link_.waiting() || next > events_.now()) {
        idle_passes_ = 0;
        return;
    }
    if (++idle_passes_ < kIdlePassesMax) return;
    journal_.fail("host %u spins: its deadline is past and its passes do nothing", number());
    crash(SimLink::Power::killed);
}

void Host::stall(Duration length) {
    stalled_until_ = std::max(stalled_until_, events_.now() + length);
    if (state_ == State::leaving) leave_by_ += length;
}

void Host::crash(SimLink::Power how) {
    state_ = State::crashed;
    link_.set_power(how);
}

void Host::close_endpoint(size_t i) {
    if (!endpoints_[i].endpoint) return;
    if (chunks_) module_->dedup().detach(endpoints_[i].endpoint->receives());
    endpoints_[i].endpoint->close(events_.now());
    settle();
    if (chunks_) chunks_->closed(endpoints_[i].rx->endpoint);
    endpoints_[i].endpoint.reset();
}

void Host::leave() {
    for (size_t i = 0; i < endpoints_.size(); ++i)
        close_endpoint(i);
    state_ = State::leaving;
    leave_by_ = events_.now() + kLeaveTime + 3 * link_.profile().lateness;
    module_->leave(events_.now());
    wake_at(events_.now());
}

void Host::destroy() {
    state_ = state_ == State::left ? State::left : State::crashed;
    for (Slot& s : endpoints_)
        s.endpoint.reset();
    addresses_.reset();
    chunks_.reset();
    module_.reset();
    card_.reset();
}

} // namespace rill::sim
