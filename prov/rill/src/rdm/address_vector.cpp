// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rdm/address_vector.hpp"

#include "rdm/module.hpp"

namespace rill::rdm {

AddressVector::AddressVector(Module& module) : module_(module) {
    module_.vectors_.push_back(this);
}

Status AddressVector::renew() {
    for (Entry& e : entries_)
        if (e.insertions > 0)
            if (Status s = module_.driver().create_address_handle(e.address, e.handle); !is_ok(s))
                return s;
    return Status::ok;
}

AddressVector::~AddressVector() {
    std::erase(module_.vectors_, this);
    for (const Entry& e : entries_)
        if (e.handle != kNoHandle) module_.driver().destroy_address_handle(e.handle);
}

Status AddressVector::insert(const wire::Address& address, SourceId& id) {
    if (!address.valid() || address.port == 0) return Status::invalid;
    auto [known, is_new] = by_address_.try_emplace(address, 0);
    if (!is_new) {
        id = known->second;
        ++entries_[id].insertions;
        return Status::ok;
    }
    uint32_t handle = kNoHandle;
    if (Status s = module_.driver().create_address_handle(address, handle); !is_ok(s)) {
        by_address_.erase(known);
        return s;
    }
    if (free_.empty()) {
        id = entries_.size();
        entries_.emplace_back();
    } else {
        id = *free_.begin();
        free_.erase(free_.begin());
    }
    known->second = id;
    entries_[id] = {address, handle, 1};
    module_.names_changed(*this);
    return Status::ok;
}

Status AddressVector::remove(SourceId id) {
    if (!lookup(id)) return Status::not_found;
    Entry& e = entries_[id];
    if (--e.insertions > 0) return Status::ok;
    by_address_.erase(e.address);
    module_.driver().destroy_address_handle(e.handle);
    e = {};
    free_.insert(id);
    module_.names_changed(*this);
    return Status::ok;
}

const wire::Address* AddressVector::lookup(SourceId id) const {
    return handle(id) == kNoHandle ? nullptr : &entries_[id].address;
}

SourceId AddressVector::find(const wire::Address& address) const {
    auto it = by_address_.find(address);
    return it == by_address_.end() ? kUnknownSource : it->second;
}

} // namespace rill::rdm
