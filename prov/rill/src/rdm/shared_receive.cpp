// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Endpoints come to a receive side and leave it: the only one of their own, or several a shared one.
#include "rdm/address_vector.hpp"
#include "rdm/module.hpp"
#include "rdm/receive_side.hpp"

#include <algorithm>

namespace rill::rdm {

void ReceiveSide::join(const AddressVector& av, CompletionSink& sink) {
    av_ = &av;
    sinks_.push_back(&sink);
}

void ReceiveSide::leave(uint32_t queue_pair, CompletionSink& sink, Instant now) {
    const bool is_shared = queue_pair != queue_pair_; // what is posted stays
    module_.for_each_flow([&](ReceiveFlow& f) {
        if (f.side != this || f.queue_pair != queue_pair) return;
        f.ended = false; // the flow itself goes below
        while (Arrival* a = f.arrivals.front()) {
            const bool untold = !a->noticed && !a->aborted && is_ok(a->failed);
            if (untold) notice(f, a->msg_no, a->flags, now, Status::aborted);
            if (is_shared && a->state == Arrival::State::receiving) {
                a->failed = Status::canceled;
                finish_if_over(*a, now);
            } else {
                free_arrival(*a);
            }
        }
        module_.drop_flow(f);
    });
    for (ReceiveOperation* op = posted_.front(); op; op = posted_.next(*op))
        if (op->sink == &sink) op->sink = nullptr;
    std::erase(sinks_, &sink);
}

} // namespace rill::rdm
