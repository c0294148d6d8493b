// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where the placement engine meets dedup: which of the bytes that are placed are reported, and to
// whom. Called while there is a store.
#include "nic/device.hpp"

#include <algorithm>

namespace rill::nic {

Status Device::attach_dedup(DedupTarget target, uint64_t id, uint64_t store, uint64_t ring,
                            uint32_t scope) {
    switch (target) {
    case DedupTarget::queue_pair: {
        QueuePair* qp = id < queue_pairs_.size() ? queue_pairs_[id].get() : nullptr;
        if (!qp || qp->shared || ring == 0) return Status::not_found;
        return dedup_.attach(store, ring, scope, qp->dedup);
    }
    case DedupTarget::region: {
        MemoryRegion* region = regions_.find(id);
        if (!region) return Status::not_found;
        if (Status s = dedup_.attach(store, ring, scope, region->dedup); !is_ok(s)) return s;
        const Status s = dedup_.attach_memory(region->dedup, region->view());
        if (!is_ok(s)) dedup_.detach(region->dedup);
        return s;
    }
    }
    return Status::invalid;
}

Status Device::detach_dedup(DedupTarget target, uint64_t id) {
    switch (target) {
    case DedupTarget::queue_pair: {
        QueuePair* qp = id < queue_pairs_.size() ? queue_pairs_[id].get() : nullptr;
        if (!qp || !qp->dedup) return Status::not_found;
        dedup_.detach(qp->dedup);
        return Status::ok;
    }
    case DedupTarget::region: {
        MemoryRegion* region = regions_.find(id);
        if (!region || !region->dedup) return Status::not_found;
        dedup_.detach_memory(region->dedup, region->view());
        dedup_.detach(region->dedup);
        return Status::ok;
    }
    }
    return Status::invalid;
}

// A message of several packets has been given its buffer. What came out of a bounce buffer may have
// holes that are filled later.
void Device::start_chunks(Inbound& in, QueuePair& qp, bool reports, uint64_t total,
                          bool from_bounce) {
    const uint64_t copied = from_bounce ? in.unscheduled : 0;
    const uint64_t bytes = std::min(total, in.capacity);
    const DedupAttachment& a = qp.receiver().dedup;
    if (reports && a)
        return dedup_.begin(a, in.chunked, in.iov, in.iov_base, bytes, 0, copied,
                            from_bounce ? in.unscheduled - in.unscheduled_got : 0);
    dedup_.wrote(in.iov, in.iov_base, std::min(copied, bytes));
}

void Device::chunk_payload(Inbound& in, uint64_t offset, size_t bytes) {
    if (in.chunked) return dedup_.placed(in.chunked, offset, bytes);
    if (offset < in.capacity)
        dedup_.wrote(in.iov, in.iov_base + offset, std::min(bytes, in.capacity - offset));
}

void Device::chunk_whole(QueuePair& qp, bool reports, IovView iov, uint64_t base, uint64_t bytes) {
    const DedupAttachment& a = qp.receiver().dedup;
    if (reports && a)
        dedup_.placed_whole(a, iov, base, bytes, 0);
    else
        dedup_.wrote(iov, base, bytes);
}

void Device::placed_by_host(QueuePair& qp, const ReceiveEntry& e) {
    chunk_whole(qp, e.flags & kReceiveReport, {e.iov, e.iov_count}, e.tag, e.minimum);
}

// A range of a write, or a packet of one. Fixed chunks are aligned in the region.
void Device::chunk_write(RemoteFlow& f, const wire::Write& w, const MemoryRegion& region,
                         uint64_t at, size_t bytes) {
    const IovView list = region.view();
    const DedupAttachment& a = region.dedup;
    if (!a.context) return dedup_.wrote(list, at + w.offset, bytes);
    if (bytes == w.length) return dedup_.placed_whole(a, list, at, bytes, at);
    const RemoteFlowTable::Handle h = remote_flows_.handle(f);
    bool is_new = false;
    auto*& transfer = dedup_.remote({h.slot, h.generation, w.msg_no, w.address}, is_new);
    if (is_new) dedup_.begin(a, transfer, list, at, w.length, at);
    if (!transfer) return dedup_.wrote(list, at + w.offset, bytes);
    dedup_.placed(transfer, w.offset, bytes);
}

} // namespace rill::nic
