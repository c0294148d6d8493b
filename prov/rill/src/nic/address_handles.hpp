// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "transport/transport.hpp"
#include "util/status.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace rill::nic {

// What the device knows of a destination: the context is read through the handle's index (T2).
//
//   unresolved --first send--> opening --answer--> resolved (peer, queue pair)
//   unresolved --message from there--> resolved
//   opening, resolved --unreachable, dead, gone--> ended --answer to a knock, message--> resolved
struct AddressHandle {
    wire::Address address;
    uint32_t users = 0;    // 0: free
    uint32_t remote = 0;   // the peer's queue pair; 0: not known yet
    uint32_t watchers = 0; // directed receives that wait for this peer
    transport::Context* opening = nullptr;
    transport::Context* watched = nullptr;
    transport::Peer* peer = nullptr;
    Status ended = Status::ok;
    Instant knocked{}; // ended: when an opening was last tried
};

class AddressHandleTable {
public:
    // The handle of an address: one per address however often it is asked for.
    uint32_t acquire(const wire::Address& address) {
        auto [it, is_new] = by_address_.try_emplace(address, 0);
        if (is_new) {
            if (free_.empty()) {
                it->second = static_cast<uint32_t>(handles_.size());
                handles_.emplace_back();
            } else {
                it->second = free_.back();
                free_.pop_back();
            }
            handles_[it->second] = AddressHandle{};
            handles_[it->second].address = address;
            ++hosts_[address.with_port(0)];
        }
        ++handles_[it->second].users;
        return it->second;
    }
    // True when that was the last user: the caller has cut all ties before.
    bool release(uint32_t index) {
        AddressHandle& h = handles_[index];
        if (--h.users != 0) return false;
        by_address_.erase(h.address);
        auto host = hosts_.find(h.address.with_port(0));
        if (--host->second == 0) hosts_.erase(host);
        free_.push_back(index);
        return true;
    }
    AddressHandle& operator[](uint32_t index) { return handles_[index]; }
    bool valid(uint32_t index) const {
        return index < handles_.size() && handles_[index].users != 0;
    }
    uint32_t find(const wire::Address& address) const {
        auto it = by_address_.find(address);
        return it == by_address_.end() ? UINT32_MAX : it->second;
    }
    bool knows_host(const wire::Address& a) const { return hosts_.contains(a.with_port(0)); }
    uint32_t size() const { return static_cast<uint32_t>(handles_.size()); }

private:
    std::vector<AddressHandle> handles_;
    std::vector<uint32_t> free_;
    std::unordered_map<wire::Address, uint32_t, wire::AddressHash> by_address_;
    std::unordered_map<wire::Address, uint32_t, wire::AddressHash> hosts_; // handles per host
};

} // namespace rill::nic
