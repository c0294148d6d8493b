// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/reporter.hpp"

namespace rill::fi {

namespace {

struct Direction {
    uint64_t flag;
    uint32_t kind; // rdm::CompletionKind
};

constexpr Direction kTable[] = {
    {FI_SEND, rdm::kSend},
    {FI_RECV, rdm::kRecv},
    {FI_READ, rdm::kRead},
    {FI_WRITE, rdm::kWrite},
    {FI_REMOTE_READ, rdm::kRemoteRead},
    {FI_REMOTE_WRITE, rdm::kRemoteWrite},
};

} // namespace

static_assert(std::size(kTable) == Reporter::kDirectionCount);

void Reporter::bind(Counter& counter, uint64_t directions) {
    for (size_t i = 0; i < kDirectionCount; ++i) {
        if (!(directions & kTable[i].flag)) continue;
        counters_[i] = Use<Counter>(counter);
        counts_ = true;
    }
}

bool Reporter::has_counter(uint64_t directions) const {
    for (size_t i = 0; i < kDirectionCount; ++i)
        if ((directions & kTable[i].flag) && counters_[i]) return true;
    return false;
}

void Reporter::write(const rdm::Completion& c) {
    if (!queue_) return;
    if (!names_ || !names_->has_user_ids()) return queue_->complete(c);
    rdm::Completion named = c;
    named.source = names_->user_id(c.source);
    queue_->complete(named);
}

void Reporter::complete(const rdm::Completion& c) {
    if (c.report || !is_ok(c.status)) write(c);
    // A peek receives nothing, and giving back a buffer is no operation.
    if (!counts_ || (c.kinds & rdm::kPeek)) return;
    for (size_t i = 0; i < kDirectionCount; ++i)
        if ((c.kinds & kTable[i].kind) && counters_[i]) counters_[i]->count(c.status);
}

} // namespace rill::fi
