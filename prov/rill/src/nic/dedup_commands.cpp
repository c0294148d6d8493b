// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The admin commands that concern stores of chunks and rings of records.
#include "nic/admin_checks.hpp"
#include "nic/function.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace rill::nic {
namespace {

uint32_t low(uint64_t v) {
    return static_cast<uint32_t>(v);
}
uint32_t high(uint64_t v) {
    return static_cast<uint32_t>(v >> 32);
}

constexpr uint64_t kVerify = 1 << 16;

} // namespace

AdminStatus Function::execute_dedup(const AdminCommand& c, AdminAnswer& a) {
    if (!(features_ & kFeatureDedup) || !backend_.dedup()) return AdminStatus::unsupported;
    switch (c.op) {
    case AdminOp::create_dedup_store: return create_dedup_store(c);
    case AdminOp::destroy_dedup_store:
        if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
        return status_of(backend_.dedup()->close_store(c.arguments[0]));
    case AdminOp::create_dedup_ring: return create_dedup_ring(c);
    case AdminOp::destroy_dedup_ring: return destroy_dedup_ring(c);
    case AdminOp::attach_dedup: return attach_dedup(c);
    case AdminOp::detach_dedup:
        if (!rest_is_zero(c, 2)) return AdminStatus::malformed;
        return status_of(
            backend_.detach_dedup(static_cast<DedupTarget>(c.arguments[0]), c.arguments[1]));
    case AdminOp::submit_dedup: return submit_dedup(c);
    case AdminOp::look_up_dedup: return look_up_dedup(c);
    case AdminOp::use_dedup_reference: return use_dedup_reference(c, a);
    case AdminOp::get_dedup_statistics: return get_dedup_statistics(c);
    default: return AdminStatus::bad_opcode;
    }
}

AdminStatus Function::create_dedup_store(const AdminCommand& c) {
    if (!rest_is_zero(c, 6)) return AdminStatus::malformed;
    const uint64_t kinds = c.arguments[1], key_bytes = c.arguments[5];
    const auto chunker = static_cast<uint8_t>(kinds), digest = static_cast<uint8_t>(kinds >> 8);
    if ((kinds & ~uint64_t{kVerify | 0xffff}) ||
        chunker > static_cast<uint8_t>(dedup::ChunkerKind::extremum) ||
        digest > static_cast<uint8_t>(dedup::DigestKind::sha256) || key_bytes > kDedupKeyMax)
        return AdminStatus::illegal_parameter;
    DedupStoreSettings s;
    s.capacity = high(c.arguments[3]);
    s.engine.digest = static_cast<dedup::DigestKind>(digest);
    s.engine.verify = kinds & kVerify;
    const dedup::ChunkLimits limits{low(c.arguments[2]), low(c.arguments[3]), high(c.arguments[2])};
    if (s.capacity == 0 || s.capacity > kDedupStoreMax ||
        !is_ok(dedup::Chunker::make(static_cast<dedup::ChunkerKind>(chunker), limits,
                                    dedup::this_cpu(), s.engine.chunker)))
        return AdminStatus::illegal_parameter;
    if (key_bytes > 0) {
        const std::byte* key = dma_.translate(c.arguments[4], key_bytes);
        if (!key) return AdminStatus::illegal_parameter;
        s.key.assign(key, key + key_bytes);
    }
    return status_of(backend_.dedup()->open_store(c.arguments[0], std::move(s)));
}

AdminStatus Function::create_dedup_ring(const AdminCommand& c) {
    if (!rest_is_zero(c, 3)) return AdminStatus::malformed;
    const uint64_t number = c.arguments[0], at = c.arguments[1], entries = c.arguments[2];
    if (!std::has_single_bit(entries) || entries > kDedupRecordsMax)
        return AdminStatus::illegal_parameter;
    std::byte* memory =
        dma_.translate(at, sizeof(dedup::RingHeader) + entries * sizeof(dedup::Record));
    if (!memory || reinterpret_cast<uintptr_t>(memory) % alignof(dedup::RingHeader) != 0)
        return AdminStatus::illegal_parameter;
    const Status s = backend_.dedup()->open_ring(
        number, *reinterpret_cast<dedup::RingHeader*>(memory), static_cast<uint32_t>(entries));
    if (is_ok(s)) dedup_rings_[number] = at;
    return status_of(s);
}

AdminStatus Function::destroy_dedup_ring(const AdminCommand& c) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    const Status s = backend_.dedup()->close_ring(c.arguments[0]);
    if (is_ok(s)) dedup_rings_.erase(c.arguments[0]);
    return status_of(s);
}

AdminStatus Function::attach_dedup(const AdminCommand& c) {
    if (!rest_is_zero(c, 4)) return AdminStatus::malformed;
    if (c.arguments[3] > UINT32_MAX) return AdminStatus::illegal_parameter;
    return status_of(backend_.attach_dedup(static_cast<DedupTarget>(c.arguments[0]), c.arguments[1],
                                           low(c.arguments[2]), high(c.arguments[2]),
                                           low(c.arguments[3])));
}

AdminStatus Function::submit_dedup(const AdminCommand& c) {
    if (!rest_is_zero(c, 4)) return AdminStatus::malformed;
    const auto* data = reinterpret_cast<const std::byte*>(c.arguments[2]);
    return status_of(backend_.dedup()->submit(low(c.arguments[0]), high(c.arguments[0]),
                                              low(c.arguments[1]), high(c.arguments[1]),
                                              {data, c.arguments[3]}));
}

AdminStatus Function::look_up_dedup(const AdminCommand& c) {
    if (!rest_is_zero(c, 3)) return AdminStatus::malformed;
    const uint64_t count = c.arguments[2];
    std::byte* queries = count <= kDedupQueriesMax
                             ? dma_.translate(c.arguments[1], count * sizeof(DedupQuery))
                             : nullptr;
    if (!queries) return AdminStatus::illegal_parameter;
    return status_of(
        backend_.dedup()->look_up(c.arguments[0], {reinterpret_cast<DedupQuery*>(queries), count}));
}

// A reference that finds nothing is an answer with nothing in it.
AdminStatus Function::use_dedup_reference(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 3)) return AdminStatus::malformed;
    if (c.arguments[2] > static_cast<uint64_t>(DedupUse::release))
        return AdminStatus::illegal_parameter;
    std::span<const std::byte> chunk;
    const Status s =
        backend_.dedup()->use(c.arguments[0], {low(c.arguments[1]), high(c.arguments[1])},
                              static_cast<DedupUse>(c.arguments[2]), chunk);
    a.results[0] = reinterpret_cast<uintptr_t>(chunk.data());
    a.results[1] = chunk.size();
    return s == Status::again ? AdminStatus::resource_failure : status_of(s);
}

AdminStatus Function::get_dedup_statistics(const AdminCommand& c) {
    if (!rest_is_zero(c, 2)) return AdminStatus::malformed;
    std::byte* to = dma_.translate(c.arguments[1], sizeof(DedupStatistics));
    if (!to) return AdminStatus::illegal_parameter;
    DedupStatistics s;
    const Status status = backend_.dedup()->statistics(c.arguments[0], s);
    if (is_ok(status)) std::memcpy(to, &s, sizeof s);
    return status_of(status);
}

} // namespace rill::nic
