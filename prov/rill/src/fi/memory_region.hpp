// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "rdm/request.hpp"

#include <memory>

namespace rill::fi {

class Counter;
class DedupRing;
class DedupStore;
class Domain;
class MemoryRegion;
struct DedupAttached;

extern fi_ops_mr region_ops;

// Memory that peers may be allowed to read and write, and the bounds of it. Nothing is pinned.
class MemoryRegion final : public rdm::RegionEvents {
public:
    using Fid = fid_mr;

    static int open(Domain& domain, const fi_mr_attr& attr, uint64_t flags, fid_mr** out);

    int close();
    int bind(fid* handle, uint64_t flags);
    int control(int command, void* arg);
    // dedup: whether the handle is that of a region of rill.
    static bool is_one(const fid* handle);
    int attach(DedupStore& store, DedupRing* ring, uint32_t scope);
    int detach();
    rdm::EventCounter* remote_reads() const override;
    rdm::EventCounter* remote_writes() const override;

private:
    MemoryRegion(Domain& domain, const fi_mr_attr& attr);
    ~MemoryRegion() override;
    int add(const fi_mr_attr& attr);
    friend struct std::default_delete<MemoryRegion>;

    Face<fid_mr, MemoryRegion> face_{};
    Use<Domain> domain_;
    uint64_t access_;
    Use<Counter> remote_reads_;
    Use<Counter> remote_writes_;
    std::unique_ptr<DedupAttached> dedup_; // null: not attached
};

} // namespace rill::fi
