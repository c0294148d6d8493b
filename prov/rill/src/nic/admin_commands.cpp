// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The commands of the admin queue. Each looks at everything before it changes anything.
#include "nic/admin_checks.hpp"
#include "nic/entries.hpp"
#include "nic/function.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <sys/uio.h>
#include <tuple>

namespace rill::nic {
namespace {

wire::Address address_in(const uint64_t* words) {
    wire::Address a;
    std::memcpy(static_cast<void*>(&a), words, sizeof a);
    return a;
}

bool is_address(const wire::Address& a) {
    const bool short_one =
        std::all_of(a.ip.begin() + 4, a.ip.end(), [](uint8_t b) { return b == 0; });
    return (a.family == wire::Family::ip4 && a.scope == 0 && short_one) ||
           a.family == wire::Family::ip6;
}

// Those that make something.
bool takes_resources(AdminOp op) {
    switch (op) {
    case AdminOp::allocate_resource:
    case AdminOp::create_queue_pair:
    case AdminOp::create_shared_receive:
    case AdminOp::create_address_handle:
    case AdminOp::create_completion_queue:
    case AdminOp::create_dedup_store:
    case AdminOp::create_dedup_ring:
    case AdminOp::register_memory: return true;
    default: return false;
    }
}

// The region of arguments 1 to 4: rights, address of its first byte, bus address of the list of its
// pieces, and how many there are. False: there cannot be such a one.
bool region_of(const AdminCommand& c, const DmaMap& dma, MemoryRegion& region) {
    const uint64_t count = c.arguments[4];
    constexpr uint64_t kRights = kRegionReadable | kRegionWritable;
    if (count == 0 || count > kRegionPiecesMax || c.arguments[1] & ~(kRights | kRegionOwnKey))
        return false;
    const auto* pieces =
        reinterpret_cast<const iovec*>(dma.translate(c.arguments[3], count * sizeof(iovec)));
    if (!pieces) return false;
    region.base = c.arguments[2];
    region.access = static_cast<uint8_t>(c.arguments[1] & kRights);
    for (uint64_t i = 0; i < count; ++i)
        if (__builtin_add_overflow(region.length, pieces[i].iov_len, &region.length)) return false;
    region.pieces = std::make_shared<const MemoryRegion::Pieces>(pieces, pieces + count);
    return true;
}
static_assert(kRegionReadable == kRemoteReadable && kRegionWritable == kRemoteWritable);

} // namespace

AdminStatus Function::execute(const AdminCommand& c, AdminAnswer& a, Instant now) {
    if (takes_resources(c.op) && goes_wrong(FaultPoint::resource_exhaustion))
        return AdminStatus::resource_failure;
    switch (c.op) {
    case AdminOp::get_feature: return get_feature(c, a);
    case AdminOp::set_feature: return set_feature(c);
    case AdminOp::allocate_resource: return allocate(c, a);
    case AdminOp::free_resource: return free(c);
    case AdminOp::create_queue_pair: return create_queue_pair(c, a);
    case AdminOp::destroy_queue_pair: return destroy_queue_pair(c, now);
    case AdminOp::create_address_handle: return create_address_handle(c, a);
    case AdminOp::destroy_address_handle: return destroy_address_handle(c);
    case AdminOp::get_statistics: return get_statistics(c, a);
    case AdminOp::create_shared_receive: return create_shared_receive(c, a);
    case AdminOp::create_completion_queue: return create_completion_queue(c);
    case AdminOp::destroy_completion_queue: return destroy_completion_queue(c);
    case AdminOp::register_memory: return register_memory(c, a);
    case AdminOp::change_memory: return change_memory(c);
    case AdminOp::deregister_memory: return deregister_memory(c, now);
    case AdminOp::take_leave: return take_leave(c, now);
    case AdminOp::create_dedup_store:
    case AdminOp::destroy_dedup_store:
    case AdminOp::create_dedup_ring:
    case AdminOp::destroy_dedup_ring:
    case AdminOp::attach_dedup:
    case AdminOp::detach_dedup:
    case AdminOp::submit_dedup:
    case AdminOp::look_up_dedup:
    case AdminOp::use_dedup_reference:
    case AdminOp::get_dedup_statistics: return execute_dedup(c, a);
    }
    return AdminStatus::bad_opcode;
}

AdminStatus Function::get_feature(const AdminCommand& c, AdminAnswer& a) const {
    if (!rest_is_zero(c, 0)) return AdminStatus::malformed;
    a.results[0] = type_.features;
    a.results[1] = features_;
    a.results[2] = type_.queue_pairs_max;
    a.results[3] = type_.address_handles_max;
    a.results[4] = type_.device_memory_bytes;
    return AdminStatus::ok;
}

// Features cannot be taken away from what stands on them.
AdminStatus Function::set_feature(const AdminCommand& c) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (c.arguments[0] & ~uint64_t{type_.features}) return AdminStatus::unsupported;
    if (!queue_pairs_.empty()) return AdminStatus::busy;
    features_ = static_cast<uint32_t>(c.arguments[0]);
    return AdminStatus::ok;
}

AdminStatus Function::allocate(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (!(features_ & kFeatureDeviceMemory)) return AdminStatus::unsupported;
    if (c.arguments[0] > kDeviceMemoryMax) return AdminStatus::resource_failure;
    uint32_t offset = 0;
    const Status s = memory_.allocate(number_, static_cast<uint32_t>(c.arguments[0]), offset);
    a.results[0] = static_cast<uint64_t>(QueuePlace::device_memory); // the BAR
    a.results[1] = offset;
    return status_of(s);
}

AdminStatus Function::free(const AdminCommand& c) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (!(features_ & kFeatureDeviceMemory)) return AdminStatus::unsupported;
    const uint64_t offset = c.arguments[0];
    if (offset > UINT32_MAX) return AdminStatus::illegal_parameter;
    for (const auto& [number, qp] : queue_pairs_)
        if (qp.place == QueuePlace::device_memory &&
            memory_.at(number_, offset, qp.at - offset + 1)) // the allocation that holds its queue
            return AdminStatus::busy;
    return status_of(memory_.release(number_, static_cast<uint32_t>(offset)));
}

bool Function::may_place(const AdminCommand& c) const {
    return c.arguments[0] != static_cast<uint64_t>(QueuePlace::device_memory) ||
           (features_ & kFeatureDeviceMemory);
}

std::byte* Function::send_queue_of(const AdminCommand& c) const {
    const uint64_t at = c.arguments[1];
    if (c.arguments[0] == static_cast<uint64_t>(QueuePlace::host_memory))
        return dma_.translate(at, kQueueBytes);
    if (c.arguments[0] != static_cast<uint64_t>(QueuePlace::device_memory) ||
        at % DeviceMemory::kGranule != 0)
        return nullptr;
    return memory_.at(number_, at, kQueueBytes);
}

bool Function::queues_of(const AdminCommand& c, uint64_t receive_at, QueueMemory& memory) const {
    memory.send = reinterpret_cast<SendEntry*>(send_queue_of(c));
    memory.receive = reinterpret_cast<ReceiveEntry*>(dma_.translate(receive_at, kQueueBytes));
    return memory.send && memory.receive;
}

void Function::add_queue_pair(uint32_t number, const AdminCommand& c, uint32_t shared,
                              uint64_t receive_at) {
    queue_pairs_.emplace(number, QueuePairInfo{static_cast<QueuePlace>(c.arguments[0]),
                                               c.arguments[1], shared, receive_at});
    if (has_queue_pair_.size() <= number) has_queue_pair_.resize(number + 1);
    has_queue_pair_[number] = true;
}

AdminStatus Function::create_queue_pair(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 7)) return AdminStatus::malformed;
    if (!may_place(c)) return AdminStatus::unsupported;
    const uint64_t receive_at = c.arguments[2];
    wire::Address address = address_in(c.arguments + 3);
    const uint64_t shared = c.arguments[3 + kAddressWords];
    const bool shares_own = shared == 0 || (shared <= UINT32_MAX &&
                                            queue_pairs_.contains(static_cast<uint32_t>(shared)));
    QueueMemory memory;
    if (!queues_of(c, receive_at, memory) || !is_address(address) || !shares_own)
        return AdminStatus::illegal_parameter;
    if (queue_pairs_.size() >= type_.queue_pairs_max) return AdminStatus::resource_failure;
    uint32_t number = 0;
    const Status s =
        backend_.create_queue_pair(address, memory, static_cast<uint32_t>(shared), number);
    if (!is_ok(s)) return status_of(s);
    add_queue_pair(number, c, static_cast<uint32_t>(shared), receive_at);
    a.results[0] = number;
    std::memcpy(&a.results[1], &address, sizeof address);
    return AdminStatus::ok;
}

AdminStatus Function::create_shared_receive(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 3)) return AdminStatus::malformed;
    if (!may_place(c)) return AdminStatus::unsupported;
    QueueMemory memory;
    if (!queues_of(c, c.arguments[2], memory)) return AdminStatus::illegal_parameter;
    if (queue_pairs_.size() >= type_.queue_pairs_max) return AdminStatus::resource_failure;
    uint32_t number = 0;
    const Status s = backend_.create_shared_receive(memory, number);
    if (!is_ok(s)) return status_of(s);
    add_queue_pair(number, c, 0, c.arguments[2]);
    a.results[0] = number;
    return AdminStatus::ok;
}

AdminStatus Function::destroy_queue_pair(const AdminCommand& c, Instant now) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (c.arguments[0] > UINT32_MAX) return AdminStatus::illegal_parameter;
    const auto number = static_cast<uint32_t>(c.arguments[0]);
    if (!queue_pairs_.contains(number)) return AdminStatus::illegal_parameter;
    for (const auto& [other, qp] : queue_pairs_)
        if (qp.shared == number) return AdminStatus::busy;
    queue_pairs_.erase(number);
    has_queue_pair_[number] = false;
    backend_.destroy_queue_pair(number, now);
    return AdminStatus::ok;
}

AdminStatus Function::create_address_handle(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, kAddressWords)) return AdminStatus::malformed;
    const wire::Address address = address_in(c.arguments);
    if (!is_address(address) || address.port == 0) return AdminStatus::illegal_parameter;
    const uint32_t handle = backend_.acquire_address(address);
    if (handles_.size() >= type_.address_handles_max && !handles_.contains(handle)) {
        backend_.release_address(handle);
        return AdminStatus::resource_failure;
    }
    ++handles_[handle];
    a.results[0] = handle;
    return AdminStatus::ok;
}

AdminStatus Function::destroy_address_handle(const AdminCommand& c) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    const auto it = c.arguments[0] > UINT32_MAX
                        ? handles_.end()
                        : handles_.find(static_cast<uint32_t>(c.arguments[0]));
    if (it == handles_.end()) return AdminStatus::illegal_parameter;
    const uint32_t handle = it->first;
    if (--it->second == 0) handles_.erase(it);
    backend_.release_address(handle);
    return AdminStatus::ok;
}

AdminStatus Function::get_statistics(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 2)) return AdminStatus::malformed;
    if (!(features_ & kFeatureStatistics)) return AdminStatus::unsupported;
    const auto [at, words] = std::pair(c.arguments[0], c.arguments[1]);
    std::byte* to = words <= 4096 ? dma_.translate(at, words * 8) : nullptr;
    if (!to) return AdminStatus::illegal_parameter;
    a.results[0] = backend_.statistics({reinterpret_cast<uint64_t*>(to), words});
    return AdminStatus::ok;
}

// One for all queue pairs, of the function that has the data path.
AdminStatus Function::create_completion_queue(const AdminCommand& c) {
    if (!rest_is_zero(c, 4)) return AdminStatus::malformed;
    const auto [at, entries, vector, moved_at] =
        std::tuple(c.arguments[0], c.arguments[1], c.arguments[2], c.arguments[3]);
    if (completions_.entries) return AdminStatus::busy;
    if (entries > kCompletionEntriesMax || !std::has_single_bit(entries) ||
        entries < kCompletionEntriesMin || vector >= vectors_.size())
        return AdminStatus::illegal_parameter;
    std::byte* memory = dma_.translate(at, entries * sizeof(CompletionEntry));
    std::byte* moved = moved_at ? dma_.translate(moved_at, sizeof(uint64_t)) : nullptr;
    if (!memory || (moved_at && !moved)) return AdminStatus::illegal_parameter;
    if (!backend_.attach_completions(reinterpret_cast<CompletionEntry*>(memory),
                                     static_cast<uint32_t>(entries)))
        return AdminStatus::busy;
    completions_ = {at, static_cast<uint32_t>(entries)};
    completion_vector_ = static_cast<uint16_t>(vector);
    moved_at_ = moved_at;
    moved_ = reinterpret_cast<uint64_t*>(moved);
    show_moved(backend_.moved());
    return AdminStatus::ok;
}

AdminStatus Function::destroy_completion_queue(const AdminCommand& c) {
    if (!rest_is_zero(c, 0)) return AdminStatus::malformed;
    if (completions_.entries == 0) return AdminStatus::illegal_parameter;
    if (!queue_pairs_.empty()) return AdminStatus::busy;
    backend_.detach_completions();
    completions_ = {};
    moved_at_ = 0;
    moved_ = nullptr;
    return AdminStatus::ok;
}

AdminStatus Function::register_memory(const AdminCommand& c, AdminAnswer& a) {
    if (!rest_is_zero(c, 5)) return AdminStatus::malformed;
    MemoryRegion region;
    if (!region_of(c, dma_, region)) return AdminStatus::illegal_parameter;
    uint64_t key = c.arguments[0];
    if (!backend_.register_memory(key, c.arguments[1] & kRegionOwnKey, std::move(region)))
        return AdminStatus::busy;
    keys_.insert(key);
    a.results[0] = key;
    return AdminStatus::ok;
}

AdminStatus Function::change_memory(const AdminCommand& c) {
    if (!rest_is_zero(c, 5)) return AdminStatus::malformed;
    MemoryRegion region;
    if (!keys_.contains(c.arguments[0]) || !region_of(c, dma_, region))
        return AdminStatus::illegal_parameter;
    backend_.change_memory(c.arguments[0], std::move(region));
    return AdminStatus::ok;
}

AdminStatus Function::deregister_memory(const AdminCommand& c, Instant now) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (keys_.erase(c.arguments[0]) == 0) return AdminStatus::illegal_parameter;
    backend_.deregister_memory(c.arguments[0], now);
    return AdminStatus::ok;
}

AdminStatus Function::take_leave(const AdminCommand& c, Instant now) {
    if (!rest_is_zero(c, 1)) return AdminStatus::malformed;
    if (c.arguments[0] > static_cast<uint64_t>(LeaveStep::farewell))
        return AdminStatus::illegal_parameter;
    backend_.take_leave(static_cast<LeaveStep>(c.arguments[0]), now);
    return AdminStatus::ok;
}

} // namespace rill::nic
