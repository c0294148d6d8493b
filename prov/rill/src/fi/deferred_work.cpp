// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/deferred_work.hpp"

#include "fi/attributes.hpp"
#include "fi/counter.hpp"
#include "fi/operations.hpp"

#include <memory>

namespace rill::fi {

namespace {

// Takes the completion of a deferred operation: it counts at its own counter, and shows at the
// endpoint only if it was asked to. Belongs to the endpoint, and is over with its completion.
class DeferredOperation final : public rdm::CompletionSink {
public:
    DeferredOperation(Endpoint& ep, Counter* completion_counter, bool reports)
        : ep_(ep), reports_(reports) {
        if (completion_counter) counter_ = Use<Counter>(*completion_counter);
    }
    void complete(const rdm::Completion& c) override {
        if (reports_) ep_.report_to_queue(c);
        end(c.status);
    }
    // Deletes itself.
    void end(Status status) {
        if (counter_) counter_->count(status);
        ep_.release(*this);
    }
    bool has_room() const override { return true; }

private:
    Endpoint& ep_;
    const bool reports_;
    Use<Counter> counter_;
};

std::unique_ptr<Trigger> make_trigger(const fi_deferred_work& work) {
    auto trigger = std::make_unique<Trigger>();
    trigger->context = &work;
    trigger->is_work = true;
    trigger->abandon = [](Status) {};
    return trigger;
}

int wait_for(Domain& domain, const fi_deferred_work& work, std::unique_ptr<Trigger> trigger) {
    const Owned own(domain.engine());
    object_of<Counter>(work.triggering_cntr).add_trigger(work.threshold, std::move(trigger));
    return 0;
}

// Of the program's transmits; FI_TRIGGER is said already.
constexpr uint64_t kTransmitFlags = kTxFlags | FI_FENCE;
constexpr uint64_t kReceiveFlags = kRxFlags & ~FI_MULTI_RECV;

// A data transfer. `what` has an endpoint, a message and flags; `post(ep, *what, sink)` starts it.
template <class What, class Post>
int queue_transfer(Domain& domain, const fi_deferred_work& work, const What* what, uint64_t allowed,
                   Post post) {
    if (!what || !what->ep) return -FI_EINVAL;
    Endpoint& ep = object_of<Endpoint>(what->ep);
    Endpoint& core = ep.core();
    if (&ep.domain() != &domain) return -FI_EINVAL;
    if (!ep.is_enabled()) return -FI_EOPBADSTATE;
    if ((what->flags & ~allowed) || what->msg.iov_count > rdm::kIovMax) return -FI_EINVAL;
    Counter* counter = nullptr;
    if (work.completion_cntr) {
        counter = &object_of<Counter>(work.completion_cntr);
        if (&counter->domain() != &domain) return -FI_EINVAL;
    }
    auto made = std::make_unique<DeferredOperation>(core, counter, what->flags & FI_COMPLETION);
    DeferredOperation* operation = made.get();
    auto trigger = make_trigger(work);
    trigger->owner = &ep;
    trigger->post = [&ep, what, operation, post]() -> ssize_t {
        return post(ep, *what, operation);
    };
    trigger->abandon = [&core, operation](Status why) {
        if (why == Status::canceled)
            core.release(*operation);
        else
            operation->end(why);
    };
    {
        const Owned own(domain.engine());
        core.keep(std::move(made));
    }
    return wait_for(domain, work, std::move(trigger));
}

int queue_change(Domain& domain, const fi_deferred_work& work, int (Counter::*change)(uint64_t)) {
    const fi_op_cntr* what = work.op.cntr;
    if (!what || !what->cntr || work.completion_cntr) return -FI_EINVAL;
    Counter& counter = object_of<Counter>(what->cntr);
    if (&counter.domain() != &domain) return -FI_EINVAL;
    auto trigger = make_trigger(work);
    const auto use = std::make_shared<Use<Counter>>(counter);
    trigger->post = [use, change, value = what->value]() -> ssize_t {
        return (use->get()->*change)(value);
    };
    return wait_for(domain, work, std::move(trigger));
}

// Messages and RMA, by their message form of operations.hpp.
template <class What, class Message>
int queue_message(Domain& domain, const fi_deferred_work& work, const What* what, uint64_t allowed,
                  ssize_t (*send)(Endpoint&, const Message&, uint64_t, rdm::CompletionSink*)) {
    return queue_transfer(domain, work, what, allowed,
                          [send](Endpoint& ep, const What& w, rdm::CompletionSink* sink) {
                              return send(ep, w.msg, w.flags, sink);
                          });
}

int queue_fetch(Domain& domain, const fi_deferred_work& work) {
    return queue_transfer(domain, work, work.op.fetch_atomic, kTransmitFlags,
                          [](Endpoint& ep, const fi_op_fetch_atomic& w, rdm::CompletionSink* sink) {
                              return fetch_atomic_message(ep, w.msg, w.fetch, w.flags, sink);
                          });
}

int queue_compare(Domain& domain, const fi_deferred_work& work) {
    return queue_transfer(
        domain, work, work.op.compare_atomic, kTransmitFlags,
        [](Endpoint& ep, const fi_op_compare_atomic& w, rdm::CompletionSink* sink) {
            return compare_atomic_message(ep, w.msg, w.compare, w.fetch, w.flags, sink);
        });
}

} // namespace

int queue_work(Domain& domain, fi_deferred_work* work) {
    if (!work || !work->triggering_cntr) return -FI_EINVAL;
    if (&object_of<Counter>(work->triggering_cntr).domain() != &domain) return -FI_EINVAL;
    const auto queue = [&](const auto* what, uint64_t allowed, auto post) {
        return queue_message(domain, *work, what, allowed, post);
    };
    switch (number_of(work->op_type)) {
    case FI_OP_SEND: return queue(work->op.msg, kTransmitFlags, send_message);
    case FI_OP_RECV: return queue(work->op.msg, kReceiveFlags, receive_message);
    case FI_OP_TSEND: return queue(work->op.tagged, kTransmitFlags, send_tagged);
    case FI_OP_TRECV: return queue(work->op.tagged, kReceiveFlags, receive_tagged);
    case FI_OP_READ: return queue(work->op.rma, kTransmitFlags, read_message);
    case FI_OP_WRITE: return queue(work->op.rma, kTransmitFlags, write_message);
    case FI_OP_ATOMIC: return queue(work->op.atomic, kTransmitFlags, atomic_message);
    case FI_OP_FETCH_ATOMIC: return queue_fetch(domain, *work);
    case FI_OP_COMPARE_ATOMIC: return queue_compare(domain, *work);
    case FI_OP_CNTR_SET: return queue_change(domain, *work, &Counter::set);
    case FI_OP_CNTR_ADD: return queue_change(domain, *work, &Counter::add);
    }
    return -FI_EINVAL;
}

int cancel_work(Domain& domain, fi_deferred_work* work) {
    if (!work) return -FI_EINVAL;
    const Owned own(domain.engine());
    return domain.engine().triggers().cancel_work(work) ? 0 : -FI_ENOENT;
}

int flush_work(Domain& domain, fid_cntr* counter) {
    const Owned own(domain.engine());
    domain.engine().triggers().flush_work(counter ? &object_of<Counter>(counter) : nullptr);
    return 0;
}

} // namespace rill::fi
