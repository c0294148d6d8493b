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

Module::Module(const ModuleConfig& config, nic::Bus& bus, Log& log)
    : config_(config), log_(log), driver_(bus, log), send_operations_(config.pending_depth) {
    if (!is_ok(driver_.bring_up(Instant{})))
        throw std::runtime_error("the device does not come up");
}

// Endpoints may still be open: what their unexpected messages hold goes with us.
Module::~Module() {
    arrivals_.for_each([this](Arrival& a) {
        if (a.bounce) release_bounce(a.bounce);
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
    open_.push_back(ep.get());
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
    open_.push_back(ep.get());
    out = std::move(ep);
    return Status::ok;
}

void Module::release_bounce(void* buffer) {
    if (driver_.down()) return bounces_.push_back(buffer);
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::give_back;
    e.buffer = buffer;
    post_receive(control_queue(), e);
}

bool Module::progress(Instant now, bool poll_all) {
    if (driver_.down()) [[unlikely]]
        return recover(now);
    bool moved = driver_.run(poll_all, now);
    if (driver_.down()) [[unlikely]]
        return recover(now);
    moved |= drain(now);
    // Grants and granted data that the drained entries asked for leave in this pass.
    if (hurry_) flush(now);
    if (now >= review_deadline()) {
        review(now);
        ring(now);
    }
    if (leaving_ && !farewell_ && (!driver_.outstanding() || now >= flush_until_)) {
        farewell_ = true;
        driver_.take_leave(nic::LeaveStep::farewell, now);
    }
    return moved;
}

Instant Module::next_deadline() const {
    if (driver_.down()) return retry_at_;
    if (driver_.has_completion() || driver_.has_unrung()) return Instant{};
    Instant next = std::min(driver_.deadline(), review_deadline());
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
        if (waits != f.watched) watch(f.handle, waits);
        f.watched = waits;
        watched_flows_ += waits;
    });
    receive_flows_.for_each([&](ReceiveFlow& f) {
        bool waits = false;
        for (Arrival* a = f.arrivals.front(); a && !waits && !f.ended; a = f.arrivals.next(*a))
            waits = a->state == Arrival::State::receiving;
        if (waits != f.watched) {
            nic::SendEntry e;
            e.op = nic::SendOp::watch_flow;
            e.target = f.slot;
            e.count = waits;
            post_send(control_queue(), e, true, now);
        }
        f.watched = waits;
        watched_flows_ += waits;
    });
}

void Module::watch(uint32_t handle, bool on) {
    nic::SendEntry e;
    e.op = nic::SendOp::watch;
    e.target = handle;
    e.count = on;
    post_send(control_queue(), e, true, reviewed_at_);
}

void Module::free_send_flow(SendFlow& f) {
    if (f.watched) watch(f.handle, false);
    send_flows_.free(f);
}

bool Module::drain(Instant now) {
    // The device needs room for what handling an entry may make it answer.
    constexpr uint32_t kAtOnce = 64;
    bool any = false;
    for (uint32_t taken = 1;; ++taken) {
        if (driver_.has_completion()) {
            dispatch(driver_.take_completion(), now);
        } else if (!ended_.empty()) {
            const nic::CompletionEntry e = ended_.front();
            ended_.pop_front();
            dispatch_end(e, now);
        } else {
            break;
        }
        if (taken % kAtOnce == 0) driver_.release_completions(now);
        any = true;
    }
    if (!deferred_.empty()) any |= retry_deferred(now);
    if (any && fences_ > 0)
        for (Endpoint* ep : endpoints_)
            if (ep) ep->sends_->release(now);
    return any;
}

// Comes before any other entry of the flow, and again when the sender is known.
void Module::on_flow(const nic::CompletionEntry& e) {
    if (flow_by_slot_.size() <= e.flow) flow_by_slot_.resize(e.flow + 1);
    ReceiveFlow*& f = flow_by_slot_[e.flow];
    if (!f) {
        f = receive_flows_.make();
        f->slot = e.flow;
        f->queue_pair = e.request;
        const Endpoint& ep = *endpoints_[e.request];
        f->side = ep.receives_.get();
        f->sink = ep.rx_;
    }
    f->sender = nic::address_of(e);
}

void Module::on_remote_source(const nic::CompletionEntry& e) {
    if (remote_sources_.size() <= e.inbound.slot) remote_sources_.resize(e.inbound.slot + 1);
    remote_sources_[e.inbound.slot] = {e.inbound.generation, nic::address_of(e)};
}

void Module::release_flow(ReceiveFlow& f) {
    nic::ReceiveEntry e;
    e.op = nic::ReceiveOp::release;
    e.flow = f.slot;
    post_receive(control_queue(), e);
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
        ReceiveFlow& f = *flow_by_slot_[e.flow];
        f.side->on_matched(f, e, now);
        break;
    }
    case nic::EntryKind::unexpected:
    case nic::EntryKind::early: {
        ReceiveFlow& f = *flow_by_slot_[e.flow];
        f.side->on_unmatched(f, e, now);
        break;
    }
    case nic::EntryKind::turned: {
        ReceiveFlow& f = *flow_by_slot_[e.flow];
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
        ReceiveFlow& f = *flow_by_slot_[e.flow];
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
    case nic::EntryKind::flow: on_flow(e); break;
    case nic::EntryKind::remote_source: on_remote_source(e); break;
    // After all that was answered before: a turn that a message was given has an answer yet.
    case nic::EntryKind::destination_ended:
    case nic::EntryKind::flow_ended: ended_.push_back(e); break;
    }
}

void Module::dispatch_end(const nic::CompletionEntry& e, Instant now) {
    if (e.kind == nic::EntryKind::destination_ended) return on_destination_ended(e, now);
    if (ReceiveFlow* f = flow_by_slot_[e.flow])
        f->side->on_flow_ended(*f, static_cast<Status>(e.status), now);
}

void Module::on_destination_ended(const nic::CompletionEntry& e, Instant now) {
    const auto why = static_cast<Status>(e.status);
    log_.print(LogLevel::info, "a destination has ended: %s", to_string(why));
    std::vector<SendFlow*> flows;
    send_flows_.for_each([&](SendFlow& f) {
        if (f.handle == e.flow && !f.ended) flows.push_back(&f);
    });
    for (SendFlow* f : flows) {
        if (f->side) f->side->forget_destination(e.flow);
        SendSide::fail(*this, *f, why);
    }
    for (Endpoint* ep : endpoints_)
        if (ep) ep->receives_->fail_destination(e.flow, why, now);
}

void Module::names_changed(const AddressVector& av) {
    for (Endpoint* ep : endpoints_)
        if (ep && ep->av_ == &av) ep->receives_->rename_flows();
}

void Module::leave(Instant now) {
    leaving_ = true;
    flush_until_ = now + kFlushTime;
    driver_.take_leave(nic::LeaveStep::flush_notices, now);
}

bool Module::left(Instant) const {
    return driver_.down() || (farewell_ && driver_.left());
}

} // namespace rill::rdm
