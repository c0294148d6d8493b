// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/module.hpp"

#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"

#include <stdexcept>

namespace rill::rdm {
namespace {

// As long as the farewell itself may take: a peer that does not answer by then is not coming back.
constexpr Duration kFlushTime = std::chrono::milliseconds(200);

} // namespace

Module::Module(const ModuleConfig& config, wire::Link& link, const SipKey& secret,
               obs::Counters& counters, Log& log)
    : config_(config), log_(log),
      device_(std::make_unique<nic::Device>(config.device, config.transport, link, secret, counters,
                                            log)),
      adapter_(config.type, *device_, interrupts_), driver_(adapter_, log),
      send_operations_(config.pending_depth) {
    if (!is_ok(driver_.bring_up(Instant{})))
        throw std::runtime_error("the device does not come up");
}

// Endpoints may still be open: what their unexpected messages hold goes with us.
Module::~Module() {
    arrivals_.for_each([this](Arrival& a) {
        if (a.bounce) device_->release_bounce(a.bounce);
    });
}

Status Module::open_endpoint(wire::Address& bound, const AddressVector& av, CompletionSink& tx,
                             CompletionSink& rx, std::unique_ptr<Endpoint>& out, Endpoint* shared) {
    if (shared && !shared->receives_->may_join(av)) return Status::invalid;
    uint32_t number;
    const uint32_t shared_number = shared ? shared->number_ : nic::kNoQueuePair;
    if (Status s = driver_.create_queue_pair(bound, shared_number, number); !is_ok(s)) return s;
    std::unique_ptr<Endpoint> ep(new Endpoint(*this));
    ep->av_ = &av;
    ep->rx_ = &rx;
    ep->address_ = bound;
    ep->number_ = number;
    ep->sends_ = std::make_unique<SendSide>(*this, av, tx);
    ep->sends_->open(number);
    if (shared) {
        ep->receives_ = shared->receives_;
    } else {
        ep->receives_ = std::make_shared<ReceiveSide>(*this);
        ep->receives_->open(number);
    }
    ep->receives_->join(av, rx);
    if (endpoints_.size() <= number) endpoints_.resize(number + 1);
    endpoints_[number] = ep.get();
    out = std::move(ep);
    return Status::ok;
}

Status Module::open_shared_receive(std::unique_ptr<Endpoint>& out) {
    uint32_t number;
    if (Status s = driver_.create_shared_receive(number); !is_ok(s)) return s;
    std::unique_ptr<Endpoint> ep(new Endpoint(*this));
    ep->number_ = number;
    ep->receives_ = std::make_shared<ReceiveSide>(*this);
    ep->receives_->open(number);
    out = std::move(ep);
    return Status::ok;
}

void Module::post_send(uint32_t queue_pair, const nic::SendEntry& e, Instant now) {
    if (queue_pair == nic::kNoQueuePair) return device_->post_orphan(e, now);
    nic::QueuePair& qp = device_->queue_pair(queue_pair);
    bool pushed = qp.send.push(e); // the device empties the ring at every doorbell
    assert(pushed);
    (void)pushed;
    device_->ring_send(qp, now);
}

void Module::post_receive(uint32_t queue_pair, const nic::ReceiveEntry& e) {
    nic::QueuePair& qp = device_->queue_pair(queue_pair);
    bool pushed = qp.receive.push(e);
    assert(pushed);
    (void)pushed;
    device_->ring_receive(qp);
}

bool Module::progress(Instant now, bool poll_all) {
    bool moved = device_->run(now, poll_all);
    if ((device_->has_news() || !deferred_.empty()) && drain(now)) {
        // Grants and granted data that the drained entries asked for leave in this pass.
        device_->flush(now);
        moved = true;
    }
    if (now >= review_deadline()) review(now);
    if (leaving_ && !farewell_ && (!device_->outstanding() || now >= flush_until_)) {
        farewell_ = true;
        device_->transport().leave(now);
    }
    return moved;
}

Instant Module::next_deadline() const {
    if (device_->has_news()) return Instant{};
    Instant next = std::min(device_->next_deadline(), review_deadline());
    return leaving_ && !farewell_ ? std::min(next, flush_until_) : next;
}

Instant Module::review_deadline() const {
    bool due = review_wanted_ || watched_flows_ > 0;
    return due && review_interval() > Duration::zero() ? reviewed_at_ + review_interval() : kNever;
}

// Whoever has sent something and waits for the answer, or has granted something and waits for it,
// has nothing outstanding that the transport would miss: it must ask now and then whether the peer
// lives. Most operations are over long before anybody would ask, so who waits is found out here,
// and not with every operation.
void Module::review(Instant now) {
    reviewed_at_ = now;
    review_wanted_ = false;
    watched_flows_ = 0;
    send_flows_.for_each([&](SendFlow& f) {
        bool waits = !f.operations.empty() && !f.ended;
        if (waits != f.watched) device_->watch(f.handle, waits);
        f.watched = waits;
        watched_flows_ += waits;
    });
    receive_flows_.for_each([&](ReceiveFlow& f) {
        bool waits = false;
        for (Arrival* a = f.arrivals.front(); a && !waits && !f.ended; a = f.arrivals.next(*a))
            waits = a->state == Arrival::State::receiving;
        device_->watch_flow(f.slot, waits);
        watched_flows_ += waits;
    });
}

void Module::free_send_flow(SendFlow& f) {
    if (f.watched) device_->watch(f.handle, false);
    send_flows_.free(f);
}

bool Module::drain(Instant now) {
    bool any = false;
    auto& ring = device_->completions();
    while (!ring.empty()) {
        nic::CompletionEntry e = ring.front(); // copied: handling it may add entries
        ring.pop();
        dispatch(e, now);
        any = true;
    }
    nic::Event event;
    while (device_->next_event(event)) {
        on_event(event, now);
        any = true;
    }
    if (!deferred_.empty()) any |= retry_deferred(now);
    if (any && fences_ > 0)
        for (Endpoint* ep : endpoints_)
            if (ep) ep->sends_->release(now);
    return any;
}

ReceiveFlow& Module::receive_flow(uint32_t slot) {
    if (flow_by_slot_.size() <= slot) flow_by_slot_.resize(slot + 1);
    ReceiveFlow*& f = flow_by_slot_[slot];
    if (!f) {
        f = receive_flows_.make();
        f->slot = slot;
        const Endpoint& ep = *endpoints_[device_->flow(slot)->queue_pair];
        f->side = ep.receives_.get();
        f->sink = ep.rx_;
    }
    return *f;
}

void Module::release_flow(ReceiveFlow& f) {
    device_->release_flow(f.slot);
    drop_flow(f);
}

void Module::drop_flow(ReceiveFlow& f) {
    flow_by_slot_[f.slot] = nullptr;
    receive_flows_.free(&f);
}

void Module::set_arrival(wire::GrantId inbound, Arrival* a) {
    if (arrival_by_inbound_.size() <= inbound.slot) arrival_by_inbound_.resize(inbound.slot + 1);
    arrival_by_inbound_[inbound.slot] = a;
}

void Module::dispatch(const nic::CompletionEntry& e, Instant now) {
    auto arrival = [&]() -> Arrival* {
        return e.inbound.slot < arrival_by_inbound_.size() ? arrival_by_inbound_[e.inbound.slot]
                                                           : nullptr;
    };
    switch (e.kind) {
    case nic::EntryKind::matched: {
        ReceiveFlow& f = receive_flow(e.flow);
        f.side->on_matched(f, e, now);
        break;
    }
    case nic::EntryKind::unexpected:
    case nic::EntryKind::early: {
        ReceiveFlow& f = receive_flow(e.flow);
        f.side->on_unmatched(f, e, now);
        break;
    }
    case nic::EntryKind::turned: {
        ReceiveFlow& f = receive_flow(e.flow);
        f.side->on_turned(f, e, now);
        break;
    }
    case nic::EntryKind::finished:
        if (Arrival* a = arrival()) a->flow->side->on_finished(*a, now);
        break;
    case nic::EntryKind::filled:
        if (Arrival* a = arrival()) a->flow->side->on_filled(*a, now);
        break;
    case nic::EntryKind::aborted: {
        ReceiveFlow& f = receive_flow(e.flow);
        f.side->on_aborted(f, arrival(), e.msg_no, now);
        break;
    }
    case nic::EntryKind::sent:
        if (SendOperation* op = send_operations_.at(e.request))
            SendSide::on_sent(*this, *op, static_cast<Status>(e.status), now);
        break;
    case nic::EntryKind::grant:
        if (SendFlow* f = send_flows_.find(e.flow)) SendSide::on_grant(*this, *f, e, now);
        break;
    case nic::EntryKind::done:
        if (SendFlow* f = send_flows_.find(e.flow))
            SendSide::on_done(*this, *f, e.msg_no, e.length, static_cast<Status>(e.status));
        break;
    case nic::EntryKind::canceled:
        if (ReceiveOperation* op = receive_operations_.at(e.request)) op->side->on_canceled(*op);
        break;
    case nic::EntryKind::fetched: SendSide::on_fetched(*this, e); break;
    case nic::EntryKind::remote: on_remote(e, now); break;
    }
}

void Module::on_event(const nic::Event& e, Instant now) {
    switch (e.kind) {
    case nic::EventKind::destination_ended: {
        log_.print(LogLevel::info, "a destination has ended: %s", to_string(e.status));
        std::vector<SendFlow*> flows;
        send_flows_.for_each([&](SendFlow& f) {
            if (f.handle == e.index && !f.ended) flows.push_back(&f);
        });
        for (SendFlow* f : flows) {
            if (f->side) f->side->forget_destination(e.index);
            SendSide::fail(*this, *f, e.status);
        }
        for (Endpoint* ep : endpoints_)
            if (ep) ep->receives_->fail_destination(e.index, e.status, now);
        break;
    }
    case nic::EventKind::flow_ended:
        if (e.index < flow_by_slot_.size() && flow_by_slot_[e.index]) {
            ReceiveFlow& f = *flow_by_slot_[e.index];
            f.side->on_flow_ended(f, e.status, now);
        } else {
            device_->release_flow(e.index); // nothing of it has reached us
        }
        break;
    }
}

void Module::names_changed(const AddressVector& av) {
    for (Endpoint* ep : endpoints_)
        if (ep && ep->av_ == &av) ep->receives_->rename_flows();
}

void Module::leave(Instant now) {
    leaving_ = true;
    flush_until_ = now + kFlushTime;
    device_->flush_notices();
    device_->flush(now);
}

bool Module::left(Instant now) const {
    return farewell_ && device_->transport().left(now);
}

} // namespace rill::rdm
