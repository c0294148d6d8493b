// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/completion_queue.hpp"

#include "fi/errors.hpp"
#include "fi/log.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace rill::fi {

namespace {

constexpr size_t kDefaultSize = 1024;
// Beyond this the ring is not laid out in advance: programs ask for millions, to be safe.
constexpr size_t kRingMax = 4096;
// A program that finds entries at every read must still run the device.
constexpr uint32_t kReadsPerPass = 16;

CompletionQueue& cq_of(fid_cq* handle) {
    return object_of<CompletionQueue>(handle);
}

int close_entry(fid* handle) {
    return object_of<CompletionQueue>(handle).close();
}

int control_entry(fid* handle, int command, void* arg) {
    return object_of<CompletionQueue>(handle).control(command, arg);
}

ssize_t read_entry(fid_cq* cq, void* buf, size_t count) {
    return guarded([&] { return cq_of(cq).read(buf, count, nullptr); });
}

ssize_t readfrom_entry(fid_cq* cq, void* buf, size_t count, fi_addr_t* sources) {
    return guarded([&] { return cq_of(cq).read(buf, count, sources); });
}

ssize_t readerr_entry(fid_cq* cq, fi_cq_err_entry* buf, uint64_t flags) {
    return guarded([&] { return cq_of(cq).read_error(buf, flags); });
}

ssize_t sreadfrom_entry(fid_cq* cq, void* buf, size_t count, fi_addr_t* sources, const void* cond,
                        int timeout) {
    return guarded([&] { return cq_of(cq).wait_and_read(buf, count, sources, cond, timeout); });
}

ssize_t sread_entry(fid_cq* cq, void* buf, size_t count, const void* cond, int timeout) {
    return sreadfrom_entry(cq, buf, count, nullptr, cond, timeout);
}

int signal_entry(fid_cq* cq) {
    return cq_of(cq).signal();
}

const char* strerror_entry(fid_cq*, int prov_errno, const void*, char* buf, size_t len) {
    return describe_error(prov_errno, buf, len);
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

fi_ops_cq cq_ops = {
    .size = sizeof(fi_ops_cq),
    .read = read_entry,
    .readfrom = readfrom_entry,
    .readerr = readerr_entry,
    .sread = sread_entry,
    .sreadfrom = sreadfrom_entry,
    .signal = signal_entry,
    .strerror = strerror_entry,
};

// Each format is the beginning of the next larger one.
size_t bytes_of(const fi_cq_format& format) {
    switch (number_of(format)) {
    case FI_CQ_FORMAT_UNSPEC: // the one that fits into any buffer
    case FI_CQ_FORMAT_CONTEXT: return sizeof(fi_cq_entry);
    case FI_CQ_FORMAT_MSG: return sizeof(fi_cq_msg_entry);
    case FI_CQ_FORMAT_DATA: return sizeof(fi_cq_data_entry);
    case FI_CQ_FORMAT_TAGGED: return sizeof(fi_cq_tagged_entry);
    }
    return 0;
}

uint64_t flags_of(uint32_t kinds) {
    uint64_t flags = 0;
    if (kinds & rdm::kSend) flags |= FI_SEND;
    if (kinds & rdm::kRecv) flags |= FI_RECV;
    if (kinds & rdm::kMsg) flags |= FI_MSG;
    if (kinds & rdm::kTaggedKind) flags |= FI_TAGGED;
    if (kinds & rdm::kRemoteData) flags |= FI_REMOTE_CQ_DATA;
    if (kinds & rdm::kMultiRelease) flags |= FI_MULTI_RECV;
    if (kinds & rdm::kPeek) flags |= FI_RECV;
    if (kinds & rdm::kRma) flags |= FI_RMA;
    if (kinds & rdm::kAtomic) flags |= FI_ATOMIC;
    if (kinds & rdm::kRead) flags |= FI_READ;
    if (kinds & rdm::kWrite) flags |= FI_WRITE;
    if (kinds & rdm::kRemoteRead) flags |= FI_REMOTE_READ;
    if (kinds & rdm::kRemoteWrite) flags |= FI_REMOTE_WRITE;
    return flags;
}

fi_cq_tagged_entry entry_of(const rdm::Completion& c) {
    return {.op_context = c.context,
            .flags = flags_of(c.kinds),
            .len = c.length,
            .buf = c.buffer,
            .data = c.data,
            .tag = c.tag};
}

int check(const fi_cq_attr& a) {
    if (a.flags & ~FI_AFFINITY) return -FI_EBADFLAGS;
    if (bytes_of(a.format) == 0) return -FI_EINVAL;
    const int condition = number_of(a.wait_cond);
    if (condition != FI_CQ_COND_NONE && condition != FI_CQ_COND_THRESHOLD) return -FI_EINVAL;
    return 0;
}

} // namespace

CompletionQueue::CompletionQueue(Domain& domain, const fi_cq_attr& attr, void* context)
    : domain_(domain), wait_(*this), wait_cond_(attr.wait_cond),
      size_(attr.size ? attr.size : kDefaultSize), entry_bytes_(bytes_of(attr.format)),
      ring_(std::min(size_, kRingMax)) {
    set_face(face_, this, FI_CLASS_CQ, context, fid_ops);
    face_.ops = &cq_ops;
}

int CompletionQueue::open(Domain& domain, fi_cq_attr* attr, fid_cq** out, void* context) {
    fi_cq_attr none{};
    fi_cq_attr& a = attr ? *attr : none;
    if (const int failed = check(a)) return failed;
    std::unique_ptr<CompletionQueue> cq(new CompletionQueue(domain, a, context));
    if (const int failed = cq->wait_.open(a.wait_obj, a.wait_set, FI_LOG_CQ)) return failed;
    *out = &cq.release()->face_;
    return 0;
}

int CompletionQueue::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

int CompletionQueue::control(int command, void* arg) {
    return wait_.control(command, arg);
}

void CompletionQueue::complete(const rdm::Completion& c) {
    if (!overflow_.empty() || !ring_.push(c)) overflow_.push_back(c);
    wait_.notify();
}

void CompletionQueue::pop() {
    if (ring_.empty())
        overflow_.pop_front();
    else
        ring_.pop();
}

ssize_t CompletionQueue::take(void* buf, size_t count, fi_addr_t* sources) {
    if (empty()) return -FI_EAGAIN;
    auto* to = static_cast<std::byte*>(buf);
    size_t taken = 0;
    for (; taken < count && !empty(); ++taken) {
        const rdm::Completion& c = front();
        if (!is_ok(c.status)) {
            if (taken == 0) return -FI_EAVAIL;
            break;
        }
        const fi_cq_tagged_entry entry = entry_of(c);
        std::memcpy(to, &entry, entry_bytes_);
        to += entry_bytes_;
        if (sources) sources[taken] = c.source;
        pop();
    }
    return static_cast<ssize_t>(taken);
}

ssize_t CompletionQueue::read(void* buf, size_t count, fi_addr_t* sources) {
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    Polling polling;
    const Owned own(engine);
    if (empty() || count == 0 || ++reads_without_pass_ >= kReadsPerPass) {
        reads_without_pass_ = 0;
        polling.pass(engine);
    }
    return take(buf, count, sources);
}

ssize_t CompletionQueue::read_error(fi_cq_err_entry* buf, uint64_t flags) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (flags) return -FI_EBADFLAGS;
    const Owned own(domain_->engine());
    if (waiting() == 0 || is_ok(front().status)) return -FI_EAGAIN;
    const rdm::Completion& c = front();
    buf->op_context = c.context;
    buf->flags = flags_of(c.kinds);
    buf->len = c.length;
    buf->buf = c.buffer;
    buf->data = c.data;
    buf->tag = c.tag;
    buf->olen = c.overflow;
    buf->err = errno_of(c.status);
    buf->prov_errno = static_cast<int>(c.status);
    // The structure ended with err_data before 1.5; a buffer of the caller's gets nothing.
    if (FI_VERSION_GE(domain_->api_version(), FI_VERSION(1, 5))) {
        if (buf->err_data_size == 0) buf->err_data = nullptr;
        buf->err_data_size = 0;
    } else {
        buf->err_data = nullptr;
    }
    pop();
    return 1;
}

int CompletionQueue::signal() {
    if (!wait_.exists()) return -FI_ENOSYS;
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    wait_.signal();
    return 0;
}

int CompletionQueue::try_wait() {
    return wait_.try_wait(domain_->engine(), [&] { return waiting() > 0; });
}

ssize_t CompletionQueue::wait_and_read(void* buf, size_t count, fi_addr_t* sources,
                                       const void* condition, int timeout_ms) {
    if (!wait_.can_block()) return -FI_ENOSYS;
    Engine& engine = domain_->engine();
    if (!engine.is_ours()) return -FI_EOPBADSTATE;
    size_t threshold = 1;
    if (wait_cond_ == FI_CQ_COND_THRESHOLD && condition)
        threshold = std::clamp<size_t>(*static_cast<const size_t*>(condition), 1, size_);
    const Instant until =
        timeout_ms < 0 ? kNever : Engine::now() + std::chrono::milliseconds(timeout_ms);
    ssize_t got = -FI_EAGAIN;
    const auto over = [&] {
        if (waiting() < threshold && (waiting() == 0 || is_ok(front().status))) return false;
        got = take(buf, count, sources);
        return true;
    };
    if (wait_.wait(engine, until, over) == WaitObject::Waited::done) return got;
    // Fewer than the threshold.
    const Owned own(engine);
    return take(buf, count, sources);
}

} // namespace rill::fi
