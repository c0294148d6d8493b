// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/domain.hpp"
#include "fi/event_queue.hpp"
#include "rdm/address_vector.hpp"

#include <memory>
#include <vector>

namespace rill::fi {

// Peers by fi_addr_t, which is an index from 0 whether the vector is a map or a table.
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

    Uses uses;

private:
    AddressVector(Domain& domain, const fi_av_attr& attr, void* context);
    int check_insert(uint64_t flags, const void* context) const;
    int insert_all(const std::vector<wire::Address>& all, fi_addr_t* out, uint64_t flags,
                   void* context);
    void report_failure(size_t index, int code, uint64_t flags, void* context);

    Face<fid_av, AddressVector> face_{};
    Use<Domain> domain_;
    Use<EventQueue> eq_;
    const bool asynchronous_;
    std::unique_ptr<rdm::AddressVector> peers_;
};

} // namespace rill::fi
