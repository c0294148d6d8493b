// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "rdm/request.hpp"

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace rill::fi {

class Counter;
class Domain;
class MemoryRegion;

extern fi_ops_mr region_ops;

// The keys of a domain.
class RegionTable {
public:
    explicit RegionTable(int mr_mode)
        : provider_keys_((mr_mode & FI_MR_PROV_KEY) || mr_mode == FI_MR_BASIC) {}

    // Gives the region its key: the one asked for, or one of ours. -FI_ENOKEY: taken.
    [[nodiscard]] int add(MemoryRegion& region, uint64_t requested_key);
    void remove(uint64_t key);

private:
    const bool provider_keys_;
    std::mutex mutex_;
    uint64_t next_key_ = 1;
    std::unordered_map<uint64_t, MemoryRegion*> regions_;
};

// Memory that peers may be allowed to read and write, and the bounds of it. Nothing is pinned.
class MemoryRegion {
public:
    using Fid = fid_mr;

    static int open(Domain& domain, const fi_mr_attr& attr, uint64_t flags, fid_mr** out);

    int close();
    int bind(fid* handle, uint64_t flags);
    int control(int command, void* arg);
    // What counts peers' accesses to this region; null: nothing does.
    rdm::EventCounter* remote_reads() const;
    rdm::EventCounter* remote_writes() const;
    void set_key(uint64_t key) { face_.key = key; }

private:
    MemoryRegion(Domain& domain, const fi_mr_attr& attr);
    ~MemoryRegion();
    friend struct std::default_delete<MemoryRegion>;

    Face<fid_mr, MemoryRegion> face_{};
    Use<Domain> domain_;
    std::vector<iovec> bounds_;
    uint64_t access_;
    Use<Counter> remote_reads_;
    Use<Counter> remote_writes_;
};

} // namespace rill::fi
