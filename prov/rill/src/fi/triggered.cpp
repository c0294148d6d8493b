// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/triggered.hpp"

#include "fi/log.hpp"

#include <rdma/fi_trigger.h>

#include <memory>
#include <vector>

namespace rill::fi {

namespace {

// Copies of the lists that a request points to.
class Lists {
public:
    void keep(const iovec*& iov, size_t count) {
        pieces_.emplace_back(iov, iov + count);
        iov = pieces_.back().data();
    }
    // The bytes too: one piece is left.
    void keep_bytes(const iovec*& iov, size_t& count) {
        std::vector<std::byte>& bytes = bytes_.emplace_back();
        for (size_t i = 0; i < count; ++i) {
            const auto* from = static_cast<const std::byte*>(iov[i].iov_base);
            bytes.insert(bytes.end(), from, from + iov[i].iov_len);
        }
        iov = pieces_.emplace_back(1, iovec{bytes.data(), bytes.size()}).data();
        count = 1;
    }
    void keep(const rdm::RemoteMemory*& ranges, size_t count) {
        ranges_.assign(ranges, ranges + count);
        ranges = ranges_.data();
    }

private:
    std::vector<std::vector<iovec>> pieces_;
    std::vector<std::vector<std::byte>> bytes_;
    std::vector<rdm::RemoteMemory> ranges_;
};

void keep_lists(rdm::SendRequest& r, Lists& lists, bool inject) {
    if (inject)
        lists.keep_bytes(r.iov, r.iov_count);
    else
        lists.keep(r.iov, r.iov_count);
}

void keep_lists(rdm::RecvRequest& r, Lists& lists, bool) {
    lists.keep(r.iov, r.iov_count);
}

void keep_lists(rdm::RmaRequest& r, Lists& lists, bool inject) {
    if (inject && !r.read)
        lists.keep_bytes(r.iov, r.iov_count);
    else
        lists.keep(r.iov, r.iov_count);
    lists.keep(r.ranges, r.range_count);
}

void keep_lists(rdm::AtomicRequest& r, Lists& lists, bool inject) {
    if (inject) {
        lists.keep_bytes(r.operands, r.operand_count);
        lists.keep_bytes(r.compares, r.compare_count);
    } else {
        lists.keep(r.operands, r.operand_count);
        lists.keep(r.compares, r.compare_count);
    }
    lists.keep(r.results, r.result_count);
    lists.keep(r.ranges, r.range_count);
}

// What a triggered context asks for.
struct Threshold {
    Counter* counter = nullptr;
    uint64_t value = 0;

    int read(Endpoint& ep, void* context) {
        if (!ep.is_enabled()) return -FI_EOPBADSTATE;
        if (!context) return -FI_EINVAL;
        const auto& wanted = *static_cast<const fi_triggered_context*>(context);
        if (number_of(wanted.event_type) != FI_TRIGGER_THRESHOLD) {
            inform(FI_LOG_EP_DATA, "operations are triggered by thresholds of counters only");
            return -FI_ENOSYS;
        }
        fid_cntr* handle = wanted.trigger.threshold.cntr;
        if (!handle) return -FI_EINVAL;
        counter = &object_of<Counter>(handle);
        value = wanted.trigger.threshold.threshold;
        return &counter->domain() == &ep.domain() ? 0 : -FI_EINVAL;
    }
};

template <class Request>
using Post = ssize_t (Endpoint::*)(Request&, uint64_t flags);

// `kinds`: of the completion, should the operation fail before it is posted.
template <class Request>
ssize_t submit(Endpoint& ep, const Request& request, uint64_t flags, uint32_t kinds,
               Post<Request> post) {
    struct Stored {
        Request request;
        Lists lists;
    };
    Threshold threshold;
    if (const int failed = threshold.read(ep, request.context)) return failed;
    const uint64_t plain = flags & ~FI_TRIGGER;
    auto stored = std::make_shared<Stored>(Stored{request, {}});
    keep_lists(stored->request, stored->lists, plain & FI_INJECT);
    auto trigger = std::make_unique<Trigger>();
    trigger->owner = &ep;
    trigger->context = request.context;
    trigger->post = [&ep, stored, plain, post] { return (ep.*post)(stored->request, plain); };
    rdm::Completion failure;
    failure.context = request.context;
    failure.kinds = kinds;
    trigger->abandon = [&ep, failure](Status why) {
        rdm::Completion c = failure;
        c.status = why;
        ep.report(c);
    };
    const Owned own(ep.domain().engine());
    threshold.counter->add_trigger(threshold.value, std::move(trigger));
    return 0;
}

} // namespace

ssize_t submit_triggered(Endpoint& ep, const rdm::SendRequest& r, uint64_t flags) {
    return submit(ep, r, flags, rdm::kSend | (r.tagged ? rdm::kTaggedKind : rdm::kMsg),
                  &Endpoint::send);
}

ssize_t submit_triggered(Endpoint& ep, const rdm::RecvRequest& r, uint64_t flags) {
    return submit(ep, r, flags, rdm::kRecv | (r.tagged ? rdm::kTaggedKind : rdm::kMsg),
                  &Endpoint::receive);
}

ssize_t submit_triggered(Endpoint& ep, const rdm::RmaRequest& r, uint64_t flags) {
    return submit(ep, r, flags, rdm::kRma | (r.read ? rdm::kRead : rdm::kWrite), &Endpoint::rma);
}

ssize_t submit_triggered(Endpoint& ep, const rdm::AtomicRequest& r, uint64_t flags) {
    const bool base = r.kind == wire::AtomicKind::base;
    return submit(ep, r, flags, rdm::kAtomic | (base ? rdm::kWrite : rdm::kRead),
                  &Endpoint::atomic);
}

} // namespace rill::fi
