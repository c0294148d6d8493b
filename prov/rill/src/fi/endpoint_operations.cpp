// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The data calls of an endpoint, whatever form they came in.
#include "fi/attributes.hpp"
#include "fi/endpoint.hpp"
#include "fi/errors.hpp"
#include "fi/triggered.hpp"

namespace rill::fi {

namespace {

rdm::Level level_of(uint64_t flags) {
    // In the peer's buffer means that there was one, or that the peer discarded the message.
    if (flags & (FI_DELIVERY_COMPLETE | FI_MATCH_COMPLETE)) return rdm::Level::delivery;
    if ((flags & FI_INJECT_COMPLETE) && !(flags & FI_TRANSMIT_COMPLETE)) return rdm::Level::inject;
    return rdm::Level::transmit;
}

// `bytes`: of the whole list.
int check_list(const iovec* iov, size_t count, size_t& bytes) {
    if (count > rdm::kIovMax) return -FI_EINVAL;
    bytes = 0;
    for (size_t i = 0; i < count; ++i)
        if (__builtin_add_overflow(bytes, iov[i].iov_len, &bytes) || bytes > kMessageMax)
            return -FI_EMSGSIZE;
    return 0;
}

// When the operation is over, after what it waits, and whether that is reported.
template <class Request>
void set_completion(Request& r, uint64_t flags) {
    r.report = flags & FI_COMPLETION;
    r.fence = flags & FI_FENCE;
    r.level = level_of(flags);
}

} // namespace

// The part that all data calls share: state, ownership, and progress where a queue is full.
template <class F>
ssize_t Endpoint::post(bool capable, F&& operation) {
    Engine& engine = domain_->engine();
    rdm::Endpoint* const target = active();
    if (!target || !engine.is_ours()) [[unlikely]]
        return -FI_EOPBADSTATE;
    if (!capable) [[unlikely]]
        return -FI_EOPNOTSUPP;
    const Owned own(engine);
    Status status = operation(*target, engine);
    // The destination may be known to a process that shares the address vector.
    if (status == Status::invalid && core_.av_ && core_.av_->refresh()) [[unlikely]]
        status = operation(*target, engine);
    if (status == Status::again) engine.pass();
    return result_of(status);
}

ssize_t Endpoint::send(rdm::SendRequest& r, uint64_t flags) {
    if (flags & ~kTxCallFlags) return -FI_EINVAL;
    size_t bytes;
    if (const int failed = check_list(r.iov, r.iov_count, bytes)) return failed;
    if ((flags & FI_INJECT) && bytes > inject_bytes_) return -FI_EMSGSIZE;
    if (flags & FI_TRIGGER) return submit_triggered(*this, r, flags);
    r.inject = flags & FI_INJECT;
    set_completion(r, flags);
    r.awaited = r.report || r.sink || core_.tx_reporter_.has_counters();
    return post(sends_, [&](rdm::Endpoint& e, Engine& on) { return e.send(r, on.tick()); });
}

ssize_t Endpoint::inject(rdm::SendRequest& r) {
    if (r.iov->iov_len > inject_bytes_) return -FI_EMSGSIZE;
    r.report = false;
    r.inject = true;
    r.level = level_of(tx_flags_); // when it counts
    r.awaited = core_.tx_reporter_.has_counters();
    return post(sends_, [&](rdm::Endpoint& e, Engine& on) { return e.send(r, on.tick()); });
}

ssize_t Endpoint::rma(rdm::RmaRequest& r, uint64_t flags) {
    if (flags & ~kTxCallFlags) return -FI_EINVAL;
    if (r.range_count > rdm::kRangesMax) return -FI_EINVAL;
    size_t bytes;
    if (const int failed = check_list(r.iov, r.iov_count, bytes)) return failed;
    r.inject = (flags & FI_INJECT) && !r.read; // there is nothing to be copied
    if (r.inject && bytes > inject_bytes_) return -FI_EMSGSIZE;
    if (flags & FI_TRIGGER) return submit_triggered(*this, r, flags);
    set_completion(r, flags);
    return post(r.read ? reads_ : writes_,
                [&](rdm::Endpoint& e, Engine& on) { return e.rma(r, on.tick()); });
}

ssize_t Endpoint::inject_write(rdm::RmaRequest& r) {
    if (r.iov->iov_len > inject_bytes_) return -FI_EMSGSIZE;
    r.report = false;
    r.inject = true;
    r.level = level_of(tx_flags_); // when it counts
    return post(writes_, [&](rdm::Endpoint& e, Engine& on) { return e.rma(r, on.tick()); });
}

ssize_t Endpoint::atomic(rdm::AtomicRequest& r, uint64_t flags) {
    if (flags & ~kTxCallFlags) return -FI_EINVAL;
    if (flags & FI_TRIGGER) return submit_triggered(*this, r, flags);
    set_completion(r, flags);
    const bool capable = r.kind == wire::AtomicKind::base ? writes_ : reads_;
    return post(capable, [&](rdm::Endpoint& e, Engine& on) { return e.atomic(r, on.tick()); });
}

ssize_t Endpoint::inject_atomic(rdm::AtomicRequest& r) {
    r.report = false;
    r.level = level_of(tx_flags_);
    return post(writes_, [&](rdm::Endpoint& e, Engine& on) { return e.atomic(r, on.tick()); });
}

// Of a receive that asks for its chunks.
bool Endpoint::may_report(uint64_t flags) const {
    return !(flags & FI_RILL_REPORT_CHUNKS) || core_.dedup_;
}

ssize_t Endpoint::receive(rdm::RecvRequest& r, uint64_t flags) {
    if (r.iov_count > rdm::kIovMax) return -FI_EINVAL;
    if (!may_report(flags)) return -FI_EOPBADSTATE;
    r.chunks = flags & FI_RILL_REPORT_CHUNKS;
    if (flags & FI_TRIGGER) return submit_triggered(*this, r, flags);
    r.report = flags & FI_COMPLETION;
    return post(may_receive(),
                [&](rdm::Endpoint& e, Engine& on) { return e.receive(r, on.recent()); });
}

ssize_t Endpoint::peek(const rdm::PeekRequest& r) {
    return post(may_receive(), [&](rdm::Endpoint& e, Engine& on) { return e.peek(r, on.tick()); });
}

ssize_t Endpoint::receive_claimed(rdm::RecvRequest& r, uint64_t flags, bool discard) {
    if (!may_report(flags)) return -FI_EOPBADSTATE;
    r.chunks = flags & FI_RILL_REPORT_CHUNKS;
    r.report = flags & FI_COMPLETION;
    return post(may_receive(), [&](rdm::Endpoint& e, Engine& on) {
        return e.receive_claimed(r, discard, on.tick());
    });
}

} // namespace rill::fi
