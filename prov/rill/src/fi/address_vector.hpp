// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/domain.hpp"
#include "fi/event_queue.hpp"
#include "fi/shared_addresses.hpp"
#include "rdm/address_vector.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::fi {

// Peers by fi_addr_t, which is an index from 0 whether the vector is a map or a table. One that has
// a name is shared with other processes, which may add to it at any time: what they added is found
// when somebody asks for it.
class AddressVector {
public:
    using Fid = fid_av;

    static int open(Domain& domain, fi_av_attr* attr, fid_av** out, void* context);
    ~AddressVector();

    int close();
    int bind(fid* handle, uint64_t flags);
    int insert(const void* addr, size_t count, fi_addr_t* out, uint64_t flags, void* context);
    int insert_names(const char* node, size_t nodes, const char* service, size_t services,
                     fi_addr_t* out, uint64_t flags, void* context);
    int remove(const fi_addr_t* addr, size_t count, uint64_t flags);
    int lookup(fi_addr_t addr, void* buf, size_t* len);

    Domain& domain() { return *domain_; }
    const rdm::AddressVector& peers() const { return *peers_; }
    // Takes over what other processes have added, with the engine owned. True if there was anything.
    bool refresh();
    // What completions call a source instead (FI_AV_USER_ID).
    bool has_user_ids() const { return !user_ids_.empty(); }
    fi_addr_t user_id(fi_addr_t source) const;

    Uses uses;

private:
    AddressVector(Domain& domain, const fi_av_attr& attr, void* context);
    int check_insert(uint64_t flags, const void* context) const;
    int insert_one(const wire::Address& address, rdm::SourceId& id);
    void set_user_id(rdm::SourceId id, fi_addr_t user_id);
    int insert_all(const std::vector<wire::Address>& all, fi_addr_t* out, uint64_t flags,
                   void* context);
    void report_failure(size_t index, int code, uint64_t flags, void* context);

    Face<fid_av, AddressVector> face_{};
    Use<Domain> domain_;
    Use<EventQueue> eq_;
    const bool asynchronous_;
    const bool read_only_;
    std::unique_ptr<SharedAddresses> shared_;
    std::unordered_map<rdm::SourceId, fi_addr_t> user_ids_; // of those that have one
    std::unique_ptr<rdm::AddressVector> peers_;
};

} // namespace rill::fi
