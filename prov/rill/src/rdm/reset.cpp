// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A device that is reset under traffic: what is under way ends, then everything is made again.
#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"
#include "rdm/module.hpp"

#include <utility>

namespace rill::rdm {
namespace {

// Between two tries on a device that does not come up: its own reset time-out.
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);

} // namespace

bool Module::recover(Instant now) {
    if (now < retry_at_) return false;
    (void)reset_device(now);
    return true;
}

Status Module::reset_device(Instant now) {
    log_.print(LogLevel::warn, "the device is reset: what is under way fails");
    driver_.take_down(now);
    drop_everything(now);
    Status s = driver_.bring_up(now);
    if (is_ok(s)) s = make_again();
    if (is_ok(s)) s = dedup_.make_again();
    if (!is_ok(s)) {
        driver_.take_down(now);
        retry_at_ = now + kRetryAfter;
        return Status::io_error;
    }
    retry_at_ = {};
    for (void* buffer : std::exchange(bounces_, {}))
        release_bounce(buffer);
    return Status::ok;
}

void Module::drop_everything(Instant now) {
    for (Endpoint* ep : open_)
        if (ep->sends_) ep->sends_->forget_all();
    std::vector<SendFlow*> flows;
    send_flows_.for_each([&](SendFlow& f) { flows.push_back(&f); });
    for (SendFlow* f : flows)
        SendSide::fail_all(*this, *f, Status::io_error);
    for (Endpoint* ep : open_)
        ep->receives_->fail_all(Status::io_error, now);
    ended_.clear();
    deferred_.clear(); // their initiators learn that we are gone
    remote_sources_.clear();
    arrival_by_inbound_.clear();
    watched_flows_ = 0;
    review_wanted_ = false;
}

// Under the same addresses, though not the same numbers. Shared receive contexts were opened before
// those who share them.
Status Module::make_again() {
    for (AddressVector* av : vectors_)
        if (Status s = av->renew(); !is_ok(s)) return s;
    endpoints_.clear();
    for (Endpoint* ep : open_) {
        uint32_t number = nic::kNoQueuePair;
        const bool has_own = !ep->sends_ || ep->receives_->queue_pair() == ep->number_;
        const uint32_t shared = has_own ? nic::kNoQueuePair : ep->receives_->queue_pair();
        const Status s = ep->sends_ ? driver_.create_queue_pair(ep->address_, shared, number)
                                    : driver_.create_shared_receive(number);
        if (!is_ok(s)) return s;
        ep->number_ = number;
        if (has_own) ep->receives_->open(number);
        if (!ep->sends_) continue;
        ep->sends_->open(number);
        if (endpoints_.size() <= number) endpoints_.resize(number + 1);
        endpoints_[number] = ep;
    }
    return Status::ok;
}

void SendSide::forget_all() {
    for (Destination& d : by_handle_)
        drop_held(d);
}

void SendSide::fail_all(Module& module, SendFlow& flow, Status why) {
    flow.ended = true;
    flow.watched = false;
    if (flow.side) flow.side->by_handle_[flow.handle].messages = nullptr;
    if (flow.side) flow.side->by_handle_[flow.handle].remote = nullptr;
    const auto pending = flow.operations; // the last one frees the flow
    if (pending.empty()) return module.free_send_flow(flow);
    for (SendOperation* op : pending) {
        if (!op) continue;
        op->readers = 0;
        if (!op->done) op->status = why;
        op->done = true;
        finish_if_over(module, *op);
    }
}

void ReceiveSide::fail_all(Status why, Instant now) {
    module_.for_each_flow([&](ReceiveFlow& f) {
        if (f.side != this) return;
        f.ended = false; // the flow itself goes below
        while (Arrival* a = f.arrivals.front()) {
            if (a->state == Arrival::State::receiving) {
                a->failed = why;
                finish_if_over(*a, now);
            } else {
                free_arrival(*a);
            }
        }
        module_.drop_flow(f);
    });
    while (ReceiveOperation* op = posted_.front()) {
        op->ending = why;
        on_canceled(*op);
    }
}

} // namespace rill::rdm
