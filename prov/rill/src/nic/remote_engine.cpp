// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Remote operations at their target: what peers do to our memory regions.
#include "nic/atomic_ops.hpp"
#include "nic/device.hpp"
#include "nic/remote_checks.hpp"
#include "util/guarded_copy.hpp"

#include <algorithm>
#include <utility>

namespace rill::nic {
namespace {

using obs::Counter;

// A read of at most so many bytes is answered like an atomic operation: copied, in a record that
// shares its packet. As many as an inline message has.
constexpr uint64_t kCopiedAnswerMax = 256;

} // namespace

// ---- memory regions ---------------------------------------------------------------------------

// The upper half counts, so that no key comes again; the lower half is not to be guessed.
uint64_t Device::new_key() {
    const uint64_t count = ++keys_made_;
    const uint64_t hash = siphash(secret_, std::as_bytes(std::span(&count, 1)));
    return count << 32 | (hash & UINT32_MAX);
}

bool Device::register_memory(uint64_t& key, bool own_key, MemoryRegion region) {
    const uint64_t wanted = own_key ? new_key() : key;
    if (!regions_.add(wanted, std::move(region))) return false;
    key = wanted;
    return true;
}

void Device::change_memory(uint64_t key, MemoryRegion region) {
    remove_memory(key);
    (void)regions_.add(key, std::move(region)); // free since the line above
}

void Device::deregister_memory(uint64_t key, Instant now) {
    remove_memory(key);
    transport_.transmit(now); // whoever was reading is told
}

void Device::remove_memory(uint64_t key) {
    MemoryRegion* region = regions_.find(key);
    if (!region) return;
    if (region->dedup) (void)detach_dedup(DedupTarget::region, key);
    const std::shared_ptr<const MemoryRegion::Pieces> pieces = std::move(region->pieces);
    regions_.remove(key);
    if (pieces.use_count() == 1) return;
    std::vector<SendWork*> under_way;
    works_.for_each([&](SendWork& w) {
        if (w.remote_work && w.remote_work->pieces == pieces) under_way.push_back(&w);
    });
    for (SendWork* w : under_way)
        if (w->entry.status == 0) fail_answer(*w, Status::bad_key);
}

// ---- flows ------------------------------------------------------------------------------------

// What of a packet must find room before any of it is done.
bool Device::remote_room(transport::Context& from, const wire::RecordView& r,
                         RemoteChecks& so_far) {
    const auto find = [&](uint32_t flow) { return remote_flows_.find(*from.peer(), flow); };
    const auto new_partial = [&](const RemoteFlow* f, uint32_t msg_no) {
        if (f && f->partial.contains(msg_no)) return true;
        return partials_ + ++so_far.partials <= config_.inbound_max &&
               !(remote_flows_.full() && !f);
    };
    switch (r.type) {
    case wire::RecordType::write:
        return r.payload.size() == r.write.total || new_partial(find(r.write.flow), r.write.msg_no);
    case wire::RecordType::read:
        return answers_ + ++so_far.answers <= config_.answers_max &&
               (r.read.length == r.read.total || new_partial(find(r.read.flow), r.read.msg_no));
    case wire::RecordType::abort:
        return !(r.flags & wire::kRemote) || new_partial(find(r.abort.flow), r.abort.msg_no);
    case wire::RecordType::atomic: {
        const wire::Atomic& a = r.atomic;
        RemoteFlow* f = find(a.flow);
        if (a.kind != wire::AtomicKind::base && answers_ + ++so_far.answers > config_.answers_max)
            return false;
        if (!so_far.has_flow || so_far.flow != a.flow) so_far.order = f ? f->order : 0;
        so_far.has_flow = true;
        so_far.flow = a.flow;
        if (a.order == so_far.order) {
            ++so_far.order;
            return a.length == a.total || new_partial(f, a.msg_no);
        }
        return early_atomics_ + ++so_far.early <= kEarlyAtomicsMax;
    }
    case wire::RecordType::message:
    case wire::RecordType::fragment:
    case wire::RecordType::granted:
    case wire::RecordType::grant:
    case wire::RecordType::done:
    case wire::RecordType::answer: break;
    }
    return true;
}

RemoteFlow* Device::remote_flow_of(transport::Context& from, uint32_t number, QueuePair* qp) {
    return qp ? remote_flows_.get(from, number, qp->number) : nullptr;
}

bool Device::is_aborted(const RemoteFlow& f, uint32_t msg_no) const {
    if (f.partial.empty()) return false;
    auto it = f.partial.find(msg_no);
    return it != f.partial.end() && it->second.aborted;
}

// Whether an operation of several records is over with `bytes` more.
bool Device::is_last(const RemoteFlow& f, uint32_t msg_no, uint64_t bytes, uint64_t total) const {
    if (bytes >= total) return false;
    auto it = f.partial.find(msg_no);
    return it != f.partial.end() && it->second.got + bytes >= total;
}

// `bytes` more of an operation were worked on. True when that was all of it; `status` is then the
// first error, if there was one.
bool Device::advance(RemoteFlow& f, uint32_t msg_no, uint64_t bytes, uint64_t total,
                     Status& status) {
    if (bytes >= total) return true;
    auto [it, is_new] = f.partial.try_emplace(msg_no);
    RemotePartial& p = it->second;
    partials_ += is_new;
    p.got += bytes;
    if (is_ok(p.status)) p.status = status;
    if (p.aborted || p.got < total) return false;
    status = p.status;
    f.partial.erase(it);
    --partials_;
    return true;
}

void Device::free_remote_flow(RemoteFlow& f) {
    partials_ -= static_cast<uint32_t>(f.partial.size());
    early_atomics_ -= static_cast<uint32_t>(f.early.size());
    const RemoteFlowTable::Handle h = remote_flows_.handle(f);
    dedup_.abort_flow(h.slot, h.generation);
    remote_flows_.free(f);
}

// Its endpoint closes: what waits for a turn hears of it.
void Device::refuse_flow(RemoteFlow& f) {
    if (transport::Context* to = transport_.way_to(*f.peer)) {
        for (auto& [order, early] : f.early) {
            const wire::Atomic& a = early.record;
            if (a.kind == wire::AtomicKind::base)
                notify(*to, a.flow, a.msg_no, Status::no_queue_pair);
            else
                answer(*to, a.fetch, a.offset, Status::no_queue_pair);
        }
    }
    free_remote_flow(f);
}

CompletionEntry& Device::new_remote_entry(RemoteFlow& f, uint8_t kinds, uint32_t msg_no,
                                          uint64_t key, uint64_t total, Status status) {
    CompletionEntry& e = new_entry(EntryKind::remote);
    e.flags = kinds;
    e.status = static_cast<uint8_t>(status);
    e.request = f.queue_pair;
    e.msg_no = msg_no;
    e.tag = key;
    e.total = total;
    const RemoteFlowTable::Handle h = remote_flows_.handle(f);
    e.inbound = {h.slot, h.generation};
    return e;
}

void Device::tell_source(RemoteFlow& f) {
    CompletionEntry& e = new_entry(EntryKind::remote_source);
    const RemoteFlowTable::Handle h = remote_flows_.handle(f);
    e.inbound = {h.slot, h.generation};
    set_address(e, wire::from_source(f.source));
    push_entry();
}

// ---- writes -----------------------------------------------------------------------------------

void Device::settle_writes() {
    if (writes_.empty()) return;
    const FileMemory* const file = transport_.arrived_in();
    if (!guarded_scatter(writes_.pieces, file)) {
        for (size_t i = 0; i < writes_.pieces.size(); ++i) {
            if (guarded_scatter(std::span(writes_.pieces).subspan(i, 1), file)) continue;
            counters_.add(Counter::remote_refused);
            RemoteFlow* f = remote_flows_.find(writes_.owners[i].flow);
            if (!f) continue;
            auto it = f->partial.find(writes_.owners[i].msg_no);
            if (it != f->partial.end()) it->second.status = Status::bad_address;
        }
    }
    writes_.clear();
}

// Of an operation that is not over with this: there will be a place to note a failure.
void Device::defer_write(RemoteFlow& f, uint32_t msg_no, IovView region, uint64_t offset,
                         std::span<const std::byte> payload) {
    if (!writes_.takes(region.count)) settle_writes();
    for_pieces(region, offset, payload.size(), [&](std::byte* at, size_t pos, size_t n) {
        writes_.pieces.push_back({at, payload.data() + pos, n});
        writes_.owners.push_back({remote_flows_.handle(f), msg_no});
        return true;
    });
}

Status Device::write_at_once(IovView region, uint64_t offset, std::span<const std::byte> payload) {
    settle_writes(); // those that came before
    for_pieces(region, offset, payload.size(), [&](std::byte* at, size_t pos, size_t n) {
        writes_.pieces.push_back({at, payload.data() + pos, n});
        return true;
    });
    const bool written = guarded_scatter(writes_.pieces, transport_.arrived_in());
    writes_.clear();
    return written ? Status::ok : Status::bad_address;
}

void Device::on_write(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    const wire::Write& w = r.write;
    RemoteFlow* f = remote_flow_of(from, w.flow, endpoint(w.queue_pair, port));
    if (!f) {
        counters_.add(Counter::drop_no_queue_pair);
        notify(from, w.flow, w.msg_no, Status::no_queue_pair);
        return;
    }
    if (is_aborted(*f, w.msg_no)) {
        counters_.add(Counter::drop_stale);
        return;
    }
    Status status = Status::ok;
    const MemoryRegion* region = nullptr;
    uint64_t at = 0;
    if (w.total > 0) { // a key is not looked at for nothing
        status = regions_.check(w.key, kRemoteWritable, w.address, w.length, region, at);
        // Digests are of what lies there.
        if (is_ok(status) && (r.payload.size() == w.total || region->dedup.context))
            status = write_at_once(region->view(), at + w.offset, r.payload);
        else if (is_ok(status))
            defer_write(*f, w.msg_no, region->view(), at + w.offset, r.payload);
    }
    if (is_ok(status)) {
        count_placed(Way::direct, r.payload.size());
        if (region && dedup_.active()) [[unlikely]]
            chunk_write(*f, w, *region, at, r.payload.size());
    } else {
        counters_.add(Counter::remote_refused);
    }
    const bool immediate = r.flags & wire::kImmediate;
    if (immediate && f->source.family == 0) {
        f->source = r.source;
        tell_source(*f);
    }
    if (is_last(*f, w.msg_no, r.payload.size(), w.total)) settle_writes();
    if (!advance(*f, w.msg_no, r.payload.size(), w.total, status)) return;
    if (dedup_.active()) [[unlikely]] {
        const RemoteFlowTable::Handle h = remote_flows_.handle(*f);
        dedup_.abort_remote({h.slot, h.generation, w.msg_no, 0});
    }
    counters_.add(Counter::remote_writes);
    const uint8_t kinds = kRemoteWasWritten | kRemoteNotice | (immediate ? kRemoteImmediate : 0);
    CompletionEntry& e = new_remote_entry(*f, kinds, w.msg_no, w.key, w.total, status);
    e.immediate = r.immediate;
    push_entry();
}

// What is still on its way of an operation whose endpoint has closed is not wanted.
void Device::on_remote_abort(transport::Context& from, wire::PortId port, const wire::Abort& a) {
    RemoteFlow* f = remote_flow_of(from, a.flow, endpoint(a.queue_pair, port));
    if (!f) return;
    auto [it, is_new] = f->partial.try_emplace(a.msg_no);
    partials_ += is_new;
    it->second.aborted = true;
    const RemoteFlowTable::Handle h = remote_flows_.handle(*f);
    dedup_.abort_remote({h.slot, h.generation, a.msg_no, 0});
}

// ---- reads ------------------------------------------------------------------------------------

void Device::answer(transport::Context& to, wire::GrantId fetch, uint64_t offset, Status status,
                    std::vector<std::byte> bytes) {
    SendWork* w = works_.make();
    w->entry.op = SendOp::answer;
    w->entry.status = static_cast<uint8_t>(status);
    w->entry.grant = fetch;
    w->remote_work = std::make_unique<RemoteWork>();
    w->remote_work->range.offset = offset;
    w->remote_work->bytes = std::move(bytes);
    w->remote_work->answers = &answers_;
    ++answers_;
    queue(to, *w);
}

void Device::on_read(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    const wire::Read& q = r.read;
    RemoteFlow* f = remote_flow_of(from, q.flow, endpoint(q.queue_pair, port));
    if (!f) {
        counters_.add(Counter::drop_no_queue_pair);
        return answer(from, q.fetch, q.offset, Status::no_queue_pair);
    }
    Status status = Status::ok;
    const MemoryRegion* region = nullptr;
    uint64_t at = 0;
    if (q.total > 0)
        status = regions_.check(q.key, kRemoteReadable, q.address, q.length, region, at);
    if (is_ok(status) && q.length > kCopiedAnswerMax)
        return stream_answer(from, *f, q, *region, at);
    std::vector<std::byte> bytes(is_ok(status) ? q.length : 0);
    if (!bytes.empty() && !guarded_gather(region->view(), at, bytes)) {
        status = Status::bad_address;
        bytes.clear();
    }
    answer(from, q.fetch, q.offset, status, std::move(bytes));
    if (!is_ok(status)) counters_.add(Counter::remote_refused);
    range_read(*f, q.msg_no, q.key, q.length, q.total, status);
}

// Nothing reads the range for the peer any more.
void Device::range_read(RemoteFlow& f, uint32_t msg_no, uint64_t key, uint64_t bytes,
                        uint64_t total, Status status) {
    if (!advance(f, msg_no, bytes, total, status) || !is_ok(status)) return;
    counters_.add(Counter::remote_reads);
    new_remote_entry(f, kRemoteWasRead, msg_no, key, total, status);
    push_entry();
}

// Straight from the region, as if the initiator had granted it.
void Device::stream_answer(transport::Context& to, RemoteFlow& f, const wire::Read& r,
                           const MemoryRegion& region, uint64_t offset) {
    SendWork* w = works_.make();
    w->entry.op = SendOp::granted;
    w->entry.flags = kSendFetch;
    w->entry.grant = r.fetch;
    w->entry.tag = r.offset;
    w->entry.length = r.length;
    w->entry.msg_no = r.msg_no;
    w->entry.iov = region.pieces->data();
    w->entry.iov_count = static_cast<uint8_t>(region.pieces->size());
    w->remote_work = std::make_unique<RemoteWork>();
    RemoteWork& remote = *w->remote_work;
    remote.range.offset = offset;
    remote.range.key = r.key;
    remote.range.total = r.total;
    remote.pieces = region.pieces;
    remote.peer = f.peer;
    const RemoteFlowTable::Handle h = remote_flows_.handle(f);
    remote.flow = {h.slot, h.generation};
    remote.answers = &answers_;
    ++answers_;
    queue(to, *w);
}

// The peer has all bytes of a streamed answer, or has been told why not. There is room for an entry.
void Device::read_answered(SendWork& w) {
    const RemoteWork& remote = *w.remote_work;
    RemoteFlow* f = remote_flows_.find({remote.flow.slot, remote.flow.generation});
    if (!f) return;
    range_read(*f, w.entry.msg_no, remote.range.key, w.entry.length, remote.range.total,
               static_cast<Status>(w.entry.status));
}

// The memory that an answer is read from is gone.
void Device::fail_answer(SendWork& w, Status why) {
    counters_.add(Counter::remote_refused);
    if (transport::Context* to = transport_.way_to(*w.remote_work->peer))
        answer(*to, w.entry.grant, w.entry.tag, why);
    w.entry.status = static_cast<uint8_t>(why);
    cut_off(w);
}

// ---- atomics ----------------------------------------------------------------------------------

// The elements one after another, through the pieces of the region. One that lies across two of them
// is reached through this region only, whose device is ours: no lock is needed.
static void execute_in(IovView list, uint64_t offset, AtomicWork work, size_t element) {
    size_t left = work.count;
    for (uint32_t i = 0; i < list.count && left > 0; ++i) {
        const iovec& piece = list.entries[i];
        if (offset >= piece.iov_len) {
            offset -= piece.iov_len;
            continue;
        }
        work.target = static_cast<std::byte*>(piece.iov_base) + offset;
        work.count = std::min<size_t>(left, (piece.iov_len - offset) / element);
        execute(work);
        const size_t done = work.count * element;
        const auto step = [done](auto* p) { return p ? p + done : p; };
        work.operand = step(work.operand);
        work.compare = step(work.compare);
        work.result = step(work.result);
        left -= work.count;
        offset += done;
        if (left > 0 && offset < piece.iov_len) {
            const IovView rest{&list.entries[i], list.count - i};
            alignas(16) std::byte one[32];
            gather(rest, offset, {one, element});
            work.target = one;
            work.count = 1;
            execute(work);
            scatter(rest, offset, {one, element});
            const auto over = [element](auto* p) { return p ? p + element : p; };
            work.operand = over(work.operand);
            work.compare = over(work.compare);
            work.result = over(work.result);
            --left;
            offset += element;
        }
        offset -= piece.iov_len;
    }
}

Status Device::perform(const wire::Atomic& a, std::span<const std::byte> payload,
                       std::vector<std::byte>& result) {
    const bool reads_only = a.op == wire::AtomicOp::read;
    const bool fetches = a.kind != wire::AtomicKind::base;
    const uint8_t access = (fetches ? kRemoteReadable : 0) | (reads_only ? 0 : kRemoteWritable);
    const MemoryRegion* region = nullptr;
    uint64_t at = 0;
    if (Status s = regions_.check(a.key, access, a.address, a.length, region, at); !is_ok(s))
        return s;
    // The processor's own operations know no error: the pages are looked at before.
    const IovView list = region->view();
    if (!(reads_only ? is_readable(list, at, a.length) : is_writable(list, at, a.length)))
        return Status::bad_address;
    if (fetches) result.resize(a.length);
    const size_t element = wire::bytes_of(a.type);
    AtomicWork work{.op = a.op, .type = a.type, .count = a.length / element};
    work.operand = reads_only ? nullptr : payload.data();
    work.compare = a.kind == wire::AtomicKind::compare ? payload.data() + a.length : nullptr;
    work.result = fetches ? result.data() : nullptr;
    execute_in(list, at, work, element);
    if (!reads_only && dedup_.active()) [[unlikely]]
        dedup_.wrote(list, at, a.length);
    return Status::ok;
}

void Device::execute_atomic(transport::Context& from, RemoteFlow& f, const wire::Atomic& a,
                            std::span<const std::byte> payload) {
    std::vector<std::byte> result;
    Status status = perform(a, payload, result);
    if (!is_ok(status)) counters_.add(Counter::remote_refused);
    ++f.order;
    const bool base = a.kind == wire::AtomicKind::base;
    if (!base) answer(from, a.fetch, a.offset, status, std::move(result));
    if (!advance(f, a.msg_no, a.length, a.total, status)) return;
    counters_.add(Counter::remote_atomics);
    uint8_t kinds = base ? kRemoteWasWritten | kRemoteNotice : kRemoteWasRead;
    if (a.op != wire::AtomicOp::read) kinds |= kRemoteWasWritten;
    new_remote_entry(f, kinds, a.msg_no, a.key, a.total, status);
    push_entry();
}

void Device::on_atomic(transport::Context& from, wire::PortId port, const wire::RecordView& r) {
    const wire::Atomic& a = r.atomic;
    RemoteFlow* f = remote_flow_of(from, a.flow, endpoint(a.queue_pair, port));
    if (!f) {
        counters_.add(Counter::drop_no_queue_pair);
        if (a.kind == wire::AtomicKind::base)
            notify(from, a.flow, a.msg_no, Status::no_queue_pair);
        else
            answer(from, a.fetch, a.offset, Status::no_queue_pair);
        return;
    }
    if (a.order != f->order) {
        if (static_cast<int32_t>(a.order - f->order) < 0) {
            counters_.add(Counter::drop_stale);
            return;
        }
        EarlyAtomic early{a, {r.payload.begin(), r.payload.end()}};
        early_atomics_ += f->early.emplace(a.order, std::move(early)).second;
        return;
    }
    execute_atomic(from, *f, a, r.payload);
    for (auto it = f->early.find(f->order); it != f->early.end(); it = f->early.find(f->order)) {
        auto node = f->early.extract(it);
        --early_atomics_;
        execute_atomic(from, *f, node.mapped().record, node.mapped().payload);
    }
}

} // namespace rill::nic
