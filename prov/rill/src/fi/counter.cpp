// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/counter.hpp"

#include "fi/log.hpp"

#include <memory>

namespace rill::fi {

namespace {

// A program that sees the value grow at every read must still run the device.
constexpr uint32_t kReadsPerPass = 16;

Counter& counter_of(fid_cntr* handle) {
    return object_of<Counter>(handle);
}

int close_entry(fid* handle) {
    return guarded([&] { return object_of<Counter>(handle).close(); });
}

int control_entry(fid* handle, int command, void* arg) {
    return object_of<Counter>(handle).control(command, arg);
}

uint64_t read_entry(fid_cntr* handle) {
    return counter_of(handle).read();
}

uint64_t readerr_entry(fid_cntr* handle) {
    return counter_of(handle).read_error();
}

int add_entry(fid_cntr* handle, uint64_t value) {
    return guarded([&] { return counter_of(handle).add(value); });
}

int set_entry(fid_cntr* handle, uint64_t value) {
    return guarded([&] { return counter_of(handle).set(value); });
}

int adderr_entry(fid_cntr* handle, uint64_t value) {
    return guarded([&] { return counter_of(handle).add_error(value); });
}

int seterr_entry(fid_cntr* handle, uint64_t value) {
    return guarded([&] { return counter_of(handle).set_error(value); });
}

int wait_entry(fid_cntr* handle, uint64_t threshold, int timeout) {
    return guarded([&] { return counter_of(handle).wait(threshold, timeout); });
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = no_sys,
    .control = control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_cntr counter_ops = {
    .size = sizeof(fi_ops_cntr),
    .read = read_entry,
    .readerr = readerr_entry,
    .add = add_entry,
    .set = set_entry,
    .wait = wait_entry,
    .adderr = adderr_entry,
    .seterr = seterr_entry,
};

} // namespace

Counter::Counter(Domain& domain, void* context) : domain_(domain), wait_(*this) {
    set_face(face_, this, FI_CLASS_CNTR, context, fid_ops);
    face_.ops = &counter_ops;
}

int Counter::open(Domain& domain, const fi_cntr_attr* attr, fid_cntr** out, void* context) {
    const fi_cntr_attr none{};
    const fi_cntr_attr& a = attr ? *attr : none;
    if (a.flags) return -FI_EBADFLAGS;
    if (number_of(a.events) != FI_CNTR_EVENTS_COMP) {
        inform(FI_LOG_CNTR, "counters count completions (FI_CNTR_EVENTS_COMP)");
        return -FI_ENOSYS;
    }
    std::unique_ptr<Counter> counter(new Counter(domain, context));
    if (const int failed = counter->wait_.open(a.wait_obj, a.wait_set, FI_LOG_CNTR)) return failed;
    *out = &counter.release()->face_;
    return 0;
}

int Counter::close() {
    if (uses.any()) return -FI_EBUSY;
    if (domain_->is_ours()) {
        const Owned own(domain_->engine());
        if (domain_->engine().triggers().waits_for(this)) return -FI_EBUSY;
    }
    delete this;
    return 0;
}

int Counter::control(int command, void* arg) {
    return wait_.control(command, arg);
}

void Counter::count(Status status) {
    ++(is_ok(status) ? value_ : errors_);
    changed();
}

void Counter::changed() {
    Triggers& triggers = domain_->engine().triggers();
    if (triggers.any_waits()) triggers.ripen(this, value_, errors_);
    wait_.notify();
}

void Counter::add_trigger(uint64_t threshold, std::unique_ptr<Trigger> trigger) {
    Triggers& triggers = domain_->engine().triggers();
    triggers.add(this, threshold, std::move(trigger));
    triggers.ripen(this, value_, errors_);
}

// A forked child sees what the parent saw last: there is no error to answer with.
uint64_t Counter::look(const uint64_t& value, uint64_t& seen) {
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return value;
    Polling polling;
    const Owned own(engine);
    if (value == seen || ++reads_without_pass_ >= kReadsPerPass) {
        reads_without_pass_ = 0;
        polling.pass(engine);
    }
    return seen = value;
}

uint64_t Counter::read() {
    return look(value_, seen_value_);
}

uint64_t Counter::read_error() {
    return look(errors_, seen_errors_);
}

bool Counter::poll() {
    const bool changed = value_ != polled_value_ || errors_ != polled_errors_;
    polled_value_ = value_;
    polled_errors_ = errors_;
    return changed;
}

template <class Change>
int Counter::change(Change&& change) {
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    const Owned own(engine);
    change();
    changed();
    return 0;
}

int Counter::add(uint64_t value) {
    return change([&] { polled_value_ = value_ += value; });
}

int Counter::set(uint64_t value) {
    return change([&] { polled_value_ = value_ = value; });
}

int Counter::add_error(uint64_t value) {
    return change([&] { errors_ += value; });
}

int Counter::set_error(uint64_t value) {
    return change([&] { errors_ = value; });
}

int Counter::wait(uint64_t threshold, int timeout_ms) {
    if (wait_.in_set()) return -FI_ENOSYS;
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    const Instant until =
        timeout_ms < 0 ? kNever : Engine::now() + std::chrono::milliseconds(timeout_ms);
    uint64_t errors_before;
    {
        const Owned own(engine);
        if (const int failed = wait_.open_unseen(FI_LOG_CNTR)) return failed;
        errors_before = errors_;
    }
    bool failed = false;
    const auto over = [&] {
        seen_value_ = value_;
        if (value_ >= threshold) return true;
        failed = errors_ != errors_before;
        return failed;
    };
    if (wait_.wait(engine, until, over) != WaitObject::Waited::done) return -FI_ETIMEDOUT;
    return failed ? -FI_EAVAIL : 0;
}

int Counter::try_wait() {
    return wait_.try_wait(domain_->engine(),
                          [&] { return value_ != seen_value_ || errors_ != seen_errors_; });
}

} // namespace rill::fi
