// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "rdm/request.hpp"
#include "wire/address.hpp"

#include <cstdint>
#include <set>
#include <unordered_map>
#include <vector>

namespace rill::rdm {

class Module;

// The peers that a program named, by index from 0 in the order of insertion (an index is used again
// after remove). An address that is inserted again keeps its index and needs as many removals: Open
// MPI inserts its peers anew for an intercommunicator and goes on to receive from the new index.
class AddressVector {
public:
    explicit AddressVector(Module& module);
    ~AddressVector();
    AddressVector(const AddressVector&) = delete;
    AddressVector& operator=(const AddressVector&) = delete;

    // invalid; no_memory: the device has no more address handles.
    [[nodiscard]] Status insert(const wire::Address& address, SourceId& id);
    [[nodiscard]] Status remove(SourceId id);       // not_found
    const wire::Address* lookup(SourceId id) const; // null: no such index
    // The index of an address, or kUnknownSource.
    SourceId find(const wire::Address& address) const;
    // After a reset of the device, which has forgotten its handles.
    [[nodiscard]] Status renew();
    size_t size() const { return entries_.size(); } // indices in use or used before

    // The device's address handle of an index, or kNoHandle.
    static constexpr uint32_t kNoHandle = UINT32_MAX;
    uint32_t handle(SourceId id) const {
        return id < entries_.size() ? entries_[id].handle : kNoHandle;
    }

private:
    struct Entry {
        wire::Address address;
        uint32_t handle = kNoHandle;
        uint32_t insertions = 0;
    };

    Module& module_;
    std::vector<Entry> entries_;
    std::set<SourceId> free_; // the lowest is used first
    std::unordered_map<wire::Address, SourceId, wire::AddressHash> by_address_;
};

} // namespace rill::rdm
