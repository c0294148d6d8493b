// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/endpoint.hpp"

#include "rdm/module.hpp"

namespace rill::rdm {

Endpoint::~Endpoint() = default;

void Endpoint::close(Instant now) {
    module_.drain(now); // no entry for this queue pair may be left behind
    if (!sends_) {
        receives_->close();
        module_.driver().destroy_queue_pair(number_, now);
        std::erase(module_.open_, this);
        return;
    }
    receives_->leave(number_, *rx_, now);
    if (receives_->queue_pair() == number_) receives_->close();
    sends_->close(now);
    module_.endpoints_[number_] = nullptr;
    module_.forget_deferred(number_);
    std::erase(module_.open_, this);
}

Status Endpoint::send(const SendRequest& request, Instant now) {
    return sends_->send(request, now);
}

Status Endpoint::rma(const RmaRequest& request, Instant now) {
    return sends_->rma(request, now);
}

Status Endpoint::atomic(const AtomicRequest& request, Instant now) {
    return sends_->atomic(request, now);
}

Status Endpoint::receive(const RecvRequest& request, Instant now) {
    return receives_->receive(request, now);
}

Status Endpoint::peek(const PeekRequest& request, Instant now) {
    return receives_->peek(request, now);
}

Status Endpoint::receive_claimed(const RecvRequest& request, bool discard, Instant now) {
    return receives_->receive_claimed(request, discard, now);
}

Status Endpoint::cancel(void* context, Instant now) {
    return receives_->cancel(context, now);
}

void Endpoint::set_multi_recv_min(size_t bytes) {
    receives_->set_multi_minimum(bytes);
}

} // namespace rill::rdm
