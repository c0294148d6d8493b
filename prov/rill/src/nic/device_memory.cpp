// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/device_memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace rill::nic {

void DeviceMemory::Unmap::operator()(std::byte* p) const {
    munmap(p, bytes);
}

DeviceMemory::DeviceMemory(uint32_t bytes) : bytes_(bytes), memory_(nullptr, Unmap{bytes}) {
    if (bytes == 0) return;
    // Pages that nobody has touched take no memory, which a heap does not promise.
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    memory_.reset(static_cast<std::byte*>(at));
    free_.emplace(0, bytes);
}

Status DeviceMemory::allocate(uint16_t owner, uint32_t bytes, uint32_t& offset) {
    if (bytes == 0) return Status::invalid;
    if (bytes > bytes_) return Status::no_memory;
    bytes = (bytes + kGranule - 1) / kGranule * kGranule;
    const auto it =
        std::find_if(free_.begin(), free_.end(), [&](const auto& e) { return e.second >= bytes; });
    if (it == free_.end()) return Status::no_memory;
    const auto [at, length] = *it;
    free_.erase(it);
    if (length > bytes) free_.emplace(at + bytes, length - bytes);
    used_.emplace(at, Extent{bytes, owner});
    std::memset(memory_.get() + at, 0, bytes); // nothing of an earlier owner is seen
    offset = at;
    return Status::ok;
}

Status DeviceMemory::release(uint16_t owner, uint32_t offset) {
    const auto it = used_.find(offset);
    if (it == used_.end() || it->second.owner != owner) return Status::not_found;
    give_back(it);
    return Status::ok;
}

void DeviceMemory::release_all(uint16_t owner) {
    for (auto it = used_.begin(); it != used_.end();) {
        const auto here = it++;
        if (here->second.owner == owner) give_back(here);
    }
}

void DeviceMemory::give_back(Used::iterator it) {
    auto [at, length] = std::pair(it->first, it->second.bytes);
    used_.erase(it);
    auto next = free_.lower_bound(at);
    if (next != free_.end() && next->first == at + length) {
        length += next->second;
        next = free_.erase(next);
    }
    if (next != free_.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == at) {
            before->second += length;
            return;
        }
    }
    free_.emplace(at, length);
}

std::byte* DeviceMemory::at(uint16_t owner, uint64_t offset, uint64_t bytes) {
    if (offset >= bytes_) return nullptr;
    auto it = used_.upper_bound(static_cast<uint32_t>(offset));
    if (it == used_.begin()) return nullptr;
    --it;
    const uint64_t into = offset - it->first;
    if (it->second.owner != owner || into > it->second.bytes || bytes > it->second.bytes - into)
        return nullptr;
    return memory_.get() + offset;
}

uint32_t DeviceMemory::bytes_free() const {
    uint32_t sum = 0;
    for (const auto& [at, length] : free_)
        sum += length;
    return sum;
}

uint32_t DeviceMemory::longest_free() const {
    uint32_t longest = 0;
    for (const auto& [at, length] : free_)
        longest = std::max(longest, length);
    return longest;
}

} // namespace rill::nic
