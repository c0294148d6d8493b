// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/chunk_ledger.hpp"

#include "dedup/sha256.hpp"
#include "dedup/xxh3.hpp"
#include "rdm/endpoint.hpp"
#include "util/iov.hpp"

#include <algorithm>
#include <cstring>

namespace rill::sim {

namespace {

constexpr uint32_t kRecords = 1u << 16;

rdm::DedupStoreDescription draw(Prng& random) {
    rdm::DedupStoreDescription d;
    d.chunker = static_cast<dedup::ChunkerKind>(random.below(3));
    d.digest = static_cast<dedup::DigestKind>(random.below(2));
    d.limits = d.chunker == dedup::ChunkerKind::fixed ? dedup::ChunkLimits{1024, 1024, 1024}
                                                      : dedup::ChunkLimits{256, 1024, 4096};
    d.capacity = static_cast<uint32_t>(1 + random.below(2000)); // evicted now and then
    return d;
}

dedup::Digest digest_of(dedup::DigestKind kind, std::span<const std::byte> data) {
    return kind == dedup::DigestKind::sha256 ? dedup::Sha256(dedup::Cpu{}).of(data)
                                             : dedup::Xxh3(dedup::Cpu{}).of(data);
}

bool lies_in(const iovec& piece, uint64_t address) {
    const auto begin = reinterpret_cast<uintptr_t>(piece.iov_base);
    return address >= begin && address - begin < piece.iov_len;
}

uint64_t address_at(IovView list, uint64_t offset) {
    uint64_t address = 0;
    for_pieces(list, offset, 1, [&](const std::byte* at, size_t, size_t) {
        address = reinterpret_cast<uintptr_t>(at);
        return true;
    });
    return address;
}

} // namespace

ChunkLedger::ChunkLedger(rdm::Module& module, Journal& journal, uint32_t host, uint64_t seed)
    : module_(module), journal_(journal), host_(host) {
    Prng random(seed);
    description_ = draw(random);
    const Status made =
        dedup::Chunker::make(description_.chunker, description_.limits, dedup::Cpu{}, chunker_);
    if (!is_ok(made) || !is_ok(module_.dedup().open_store(description_, store_)) ||
        !is_ok(module_.dedup().open_ring(kRecords, ring_)))
        journal_.fail("host %u has no store or ring", host_);
}

void ChunkLedger::attach(rdm::Endpoint& endpoint) {
    if (!is_ok(module_.dedup().attach(endpoint.receives(), store_, ring_, 0)))
        journal_.fail("an endpoint of host %u is not attached", host_);
}

void ChunkLedger::posted(uint32_t endpoint, const rdm::RecvRequest& r) {
    receives_[r.context] = {endpoint, r.multi, {r.iov, r.iov + r.iov_count}};
}

void ChunkLedger::read() {
    dedup::RecordMemory& ring = module_.dedup().records(ring_);
    for (; !ring.empty(); ring.pop())
        records_.push_back(ring.front());
    if (ring.dropped() > 0) journal_.fail("host %u: records were dropped", host_);
}

void ChunkLedger::completed(const rdm::Completion& c) {
    const auto it = receives_.find(c.context);
    if (it == receives_.end() || (c.kinds & rdm::kPeek)) return;
    read();
    const bool sound = is_ok(c.status) || c.status == Status::truncated;
    if (sound && (c.kinds & rdm::kRecv) && c.length > 0) check(it->second, c);
    if (it->second.multi && !(c.kinds & rdm::kMultiRelease)) return;
    forget_records(it->second); // of what ended in between
    receives_.erase(it);
}

// The stream that begins where the message does, against the message.
void ChunkLedger::check(const Receive& r, const rdm::Completion& c) {
    const IovView list{r.iov.data(), static_cast<uint32_t>(r.iov.size())};
    const auto* begin = static_cast<const std::byte*>(r.iov[0].iov_base);
    const uint64_t base = c.buffer ? static_cast<const std::byte*>(c.buffer) - begin : 0;
    const uint64_t first = address_at(list, base);
    const auto head = std::find_if(records_.begin(), records_.end(), [&](const auto& record) {
        return record.sequence == 0 && record.address == first && record.length > 0;
    });
    if (head == records_.end())
        return journal_.fail("host %u: a message of %llu bytes has no records", host_,
                             static_cast<unsigned long long>(c.length));
    const uint32_t stream = head->stream;
    std::vector<std::byte> data(c.length);
    gather(list, base, data);
    auto rest = std::span<const std::byte>(data);
    dedup::CutState state = chunker_.start(0);
    for (const dedup::Record& record : records_) {
        if (record.stream != stream) continue;
        const dedup::Cut cut = chunker_.next(state, rest);
        const auto chunk = rest.first(cut.bytes);
        if (record.length != cut.bytes || !(record.digest == digest_of(description_.digest, chunk)))
            return journal_.fail("host %u: record %u of stream %u is not that of its chunk", host_,
                                 record.sequence, stream);
        rest = rest.subspan(cut.bytes);
    }
    if (!rest.empty())
        journal_.fail("host %u: %zu bytes of stream %u have no record when it completes", host_,
                      rest.size(), stream);
    std::erase_if(records_, [=](const dedup::Record& x) { return x.stream == stream; });
}

void ChunkLedger::forget_records(const Receive& r) {
    std::erase_if(records_, [&](const dedup::Record& x) {
        return std::any_of(r.iov.begin(), r.iov.end(),
                           [&](const iovec& piece) { return lies_in(piece, x.address); });
    });
}

void ChunkLedger::reset() {
    read();
    records_.clear();
}

void ChunkLedger::closed(uint32_t endpoint) {
    read();
    for (auto it = receives_.begin(); it != receives_.end();) {
        if (it->second.endpoint != endpoint) {
            ++it;
            continue;
        }
        forget_records(it->second);
        it = receives_.erase(it);
    }
}

} // namespace rill::sim
