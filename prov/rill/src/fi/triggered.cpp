// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/triggered.hpp"

#include "fi/log.hpp"

namespace rill::fi {

int TriggeredOperation::read(Endpoint& ep, void* context) {
    if (!ep.is_enabled()) return -FI_EOPBADSTATE;
    if (!context) return -FI_EINVAL;
    const auto& wanted = *static_cast<const fi_triggered_context*>(context);
    if (number_of(wanted.event_type) != FI_TRIGGER_THRESHOLD) {
        inform(FI_LOG_EP_DATA, "operations are triggered by thresholds of counters only");
        return -FI_ENOSYS;
    }
    fid_cntr* handle = wanted.trigger.threshold.cntr;
    if (!handle) return -FI_EINVAL;
    counter_ = &object_of<Counter>(handle);
    threshold_ = wanted.trigger.threshold.threshold;
    return &counter_->domain() == &ep.domain() ? 0 : -FI_EINVAL;
}

void TriggeredOperation::submit(Endpoint& ep, const rdm::Completion& on_failure,
                                std::function<ssize_t()> post) {
    auto trigger = std::make_unique<Trigger>();
    trigger->owner = &ep;
    trigger->context = on_failure.context;
    trigger->post = std::move(post);
    trigger->abandon = [&ep, on_failure](Status why) {
        rdm::Completion c = on_failure;
        c.status = why;
        ep.report(c);
    };
    const Owned own(ep.domain().engine());
    counter_->add_trigger(threshold_, std::move(trigger));
}

} // namespace rill::fi
