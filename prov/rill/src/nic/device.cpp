// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/device.hpp"

#include <algorithm>
#include <utility>

namespace rill::nic {
Device::Device(const Config& config, const transport::Config& transport, wire::Link& link,
               const SipKey& secret, obs::Counters& counters, Log& log)
    : config_(config), counters_(counters), log_(log), link_(link), queue_pairs_(1),
      flows_(config.flows_max), inbound_(config.inbound_max),
      bounce_(config.envelopes_max, config.bounce_bytes), works_(UINT32_MAX), outboxes_(UINT32_MAX),
      secret_(secret), remote_flows_(config.flows_max), dedup_(counters),
      transport_(transport, link, secret, *this, counters) {}

Device::~Device() {
    inbound_.for_each([this](Inbound& in) { bounce_.give_back(in.bounce); });
}

Status Device::new_queue_pair(std::unique_ptr<QueuePair> qp, uint32_t& number) {
    uint32_t n = 1;
    while (n < queue_pairs_.size() && queue_pairs_[n])
        ++n;
    if (n > config_.queue_pairs_max) return Status::no_memory;
    qp->number = n;
    if (n == queue_pairs_.size()) queue_pairs_.emplace_back();
    queue_pairs_[n] = std::move(qp);
    number = n;
    return Status::ok;
}

Status Device::create_queue_pair(wire::Address& bound, const QueueMemory& memory, uint32_t shared,
                                 uint32_t& number) {
    auto made = std::make_unique<QueuePair>(memory, config_.receives_max);
    QueuePair& qp = *made;
    if (Status s = new_queue_pair(std::move(made), number); !is_ok(s)) return s;
    if (Status s = link_.open_port(bound, qp.port); !is_ok(s)) {
        queue_pairs_[number].reset();
        return s;
    }
    qp.address = bound;
    if (shared != kNoQueuePair) qp.shared = queue_pairs_[shared].get();
    if (by_port_.size() <= qp.port) by_port_.resize(qp.port + 1);
    by_port_[qp.port] = number;
    return Status::ok;
}

Status Device::create_shared_receive(const QueueMemory& memory, uint32_t& number) {
    return new_queue_pair(std::make_unique<QueuePair>(memory, config_.receives_max), number);
}

void Device::destroy_queue_pair(uint32_t number, Instant now) {
    QueuePair& qp = *queue_pairs_[number];
    works_.for_each([&](SendWork& w) {
        if (w.queue_pair != number || !w.bulk()) return;
        if (w.entry.flags & kSendInline) {
            w.queue_pair = kNoQueuePair;
            return;
        }
        w.forgotten = true;
        cut_off(w);
    });
    remote_flows_.for_each([&](RemoteFlow& f) {
        if (f.queue_pair == number) refuse_flow(f);
    });
    inbound_.for_each([&](Inbound& in) {
        if (in.flow->queue_pair == number) free_inbound(in);
    });
    flows_.for_each([&](RxFlow& f) {
        if (f.queue_pair == number) free_flow(f);
    });
    if (qp.port != wire::kDataPort) {
        by_port_[qp.port] = 0;
        link_.close_port(qp.port);
    }
    for (MatchTable* table : {&qp.tagged, &qp.untagged})
        table->for_each([&](PostedReceive& r) {
            if (r.watched != UINT32_MAX) watch(r.watched, false);
        });
    dedup_.detach(qp.dedup);
    queue_pairs_[number].reset();
    transport_.transmit(now);
    tell();
}

size_t Device::statistics(std::span<uint64_t> out) const {
    for (size_t i = 0; i < std::min(out.size(), obs::kCounters); ++i)
        out[i] = counters_.get(static_cast<obs::Counter>(i));
    return obs::kCounters;
}

void Device::release_address(uint32_t handle) {
    AddressHandle& h = handles_[handle];
    if (h.users > 1) {
        handles_.release(handle);
        return;
    }
    if (h.watched) transport_.watch(*h.watched, false);
    if (h.opening) outbox(*h.opening).handle = UINT32_MAX;
    send_flows_.forget(handle, h.peer);
    handles_.release(handle);
}

uint32_t Device::queue_pair_of(wire::PortId port) const {
    return port < by_port_.size() ? by_port_[port] : 0;
}

bool Device::store_completions(const CompletionDoorbell& doorbell) {
    if (!completions_.store(doorbell)) return false;
    armed_ = completions_.armed();
    if (has_untold()) tell();
    return true;
}

void Device::report(EntryKind kind, Status why, uint32_t index) {
    const Event e{kind, why, index};
    if (events_.empty() || events_.back() != e) events_.push_back(e);
    attention_ = true;
}

void Device::tell() {
    size_t told = 0;
    for (; told < events_.size() && completions_.room() > 0; ++told) {
        CompletionEntry& e = new_entry(events_[told].kind);
        e.status = static_cast<uint8_t>(events_[told].status);
        e.flow = events_[told].index;
        push_entry();
    }
    events_.erase(events_.begin(), events_.begin() + static_cast<ptrdiff_t>(told));
    tell_sent();
}

void Device::introduce(uint32_t slot, uint64_t source) {
    RxFlow* f = flows_.at(slot);
    if (!f) return;
    f->introduced = true;
    f->source = source;
    // Whoever sent this is reached over the same context, with no opening of our own. The address
    // is the peer's word: it counts only for the host that the packets come from.
    wire::Address address = wire::from_source(f->info);
    uint32_t index = handles_.find(address);
    const transport::Context* way = index != UINT32_MAX ? transport_.way_to(*f->peer) : nullptr;
    if (!way || !address.same_host(way->data_address())) return;
    AddressHandle& h = handles_[index];
    bool knocking = h.opening && h.ended != Status::ok;
    bool idle = h.opening && h.opening->untouched() && outbox(*h.opening).empty();
    if (h.peer || (h.opening && !knocking && !idle)) return;
    transport::Context* opening = std::exchange(h.opening, nullptr);
    if (opening) outbox(*opening).handle = UINT32_MAX;
    adopt(h, *f->peer, f->info.queue_pair);
    if (idle) transport_.abandon(*opening);
}

void Device::release_flow(uint32_t slot) {
    RxFlow* f = flows_.at(slot);
    if (!f) return;
    inbound_.for_each([&](Inbound& in) {
        if (in.flow == f) free_inbound(in);
    });
    free_flow(*f);
}

void Device::free_flow(RxFlow& f) {
    f.wanted = false;
    start_watch(f);
    flows_.free(f);
}

void Device::take_leave(LeaveStep step, Instant now) {
    switch (step) {
    case LeaveStep::flush_notices:
        outboxes_.for_each([this](Outbox& box) {
            if (box.promote_notices()) transport_.ready(*box.context);
        });
        transport_.transmit(now);
        return;
    case LeaveStep::farewell: transport_.leave(now); return;
    }
}

Fault Device::run(Instant now, bool receive, bool everywhere) {
    if (dedup_.active()) [[unlikely]] {
        dedup_.set_time(now);
        dedup_.expire();
    }
    if (!receive) {
        transport_.transmit(now);
    } else {
        const uint32_t before = completions_.produced();
        moved_ += transport_.receive(now, everywhere);
        if (completions_.produced() == before) transport_.settle(); // nobody is waiting for us
        // Refusals are heard of everywhere, or when something is sent.
        if (everywhere || transport_.has_due(now)) {
            transport_.tick(now);
            moved_ += transport_.transmit(now);
        }
    }
    return settle_doorbell();
}

Fault Device::attend() {
    if (has_untold()) tell();
    attention_ = overrun_ || has_untold();
    return fault();
}

// Peers are told that their contexts are over, once: who does not hear of it is told when it asks.
// Queue pairs, handles and regions are gone already. Nothing that was there is reported.
void Device::reset(Instant now) {
    transport_.reset(now);
    while (SendWork* w = sent_.pop_front())
        works_.free(w);
    std::vector<Fetch*> open;
    fetches_.for_each([&](Fetch& f) { open.push_back(&f); });
    for (Fetch* f : open)
        fetches_.free(f);
    send_flows_.clear();
    events_.clear();
    dedup_.clear();
    overrun_ = attention_ = false;
}

} // namespace rill::nic
