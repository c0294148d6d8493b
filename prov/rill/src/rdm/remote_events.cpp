// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What peers have done to our memory regions: told to the endpoint, to the region, and to the peer.
#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"
#include "rdm/module.hpp"

namespace rill::rdm {
namespace {

// Writes whose data found no room in the completion queue, and whose peers are told when they do.
// Further ones are refused.
constexpr size_t kDeferredMax = 65536;

} // namespace

void Endpoint::on_remote(const nic::CompletionEntry& e, const wire::Address& source) {
    Completion c;
    // An atomic operation that fetches is a read of the endpoint's, whatever it writes: fi_endpoint(3).
    c.kinds = kRma | (e.flags & nic::kRemoteWasRead ? kRemoteRead : kRemoteWrite);
    c.report = e.flags & nic::kRemoteImmediate;
    if (c.report) {
        c.kinds |= kRemoteData;
        c.data = e.immediate;
        c.length = e.total;
        c.source = av_->find(source);
    }
    rx_->complete(c);
}

void Module::watch_memory(uint64_t key, const RegionEvents* events) {
    if (events)
        region_events_[key] = events;
    else
        region_events_.erase(key);
}

void Module::on_remote(const nic::CompletionEntry& e, Instant now) {
    Endpoint* ep = endpoints_[e.request];
    if (!ep) return; // closed since
    auto status = static_cast<Status>(e.status);
    const bool full = (e.flags & nic::kRemoteImmediate) && !ep->has_room();
    if (is_ok(status) && full) {
        if (deferred_.size() < kDeferredMax) return deferred_.push_back(e);
        status = Status::overrun;
    }
    if (is_ok(status)) {
        const bool known = e.inbound.slot < remote_sources_.size() &&
                           remote_sources_[e.inbound.slot].generation == e.inbound.generation;
        ep->on_remote(e, known ? remote_sources_[e.inbound.slot].address : wire::Address());
        count_access(e);
    }
    if (!(e.flags & nic::kRemoteNotice)) return;
    nic::SendEntry d;
    d.op = nic::SendOp::done;
    d.flags = nic::kSendRemote;
    d.status = static_cast<uint8_t>(status);
    d.msg_no = e.msg_no;
    d.count = 1;
    d.grant = e.inbound;
    post_send(e.request, d, true, now);
}

void Module::count_access(const nic::CompletionEntry& e) {
    if (region_events_.empty()) return;
    auto it = region_events_.find(e.tag);
    if (it == region_events_.end()) return;
    const auto count = [&](nic::RemoteKind kind, EventCounter* counter) {
        if ((e.flags & kind) && counter) counter->count(Status::ok);
    };
    count(nic::kRemoteWasRead, it->second->remote_reads());
    count(nic::kRemoteWasWritten, it->second->remote_writes());
}

bool Module::retry_deferred(Instant now) {
    bool any = false;
    for (size_t n = deferred_.size(); n > 0; --n) {
        const nic::CompletionEntry e = deferred_.front();
        const Endpoint* ep = endpoints_[e.request];
        if (ep && !ep->has_room()) return any; // nearly always of the same queue
        deferred_.pop_front();
        on_remote(e, now);
        any = true;
    }
    return any;
}

void Module::forget_deferred(uint32_t queue_pair) {
    std::erase_if(deferred_, [=](const auto& e) { return e.request == queue_pair; });
}

} // namespace rill::rdm
