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

// fi_mr_map_raw: a raw key is the key. -FI_EINVAL: not as long as one.
[[nodiscard]] int map_raw_key(const struct fi_mr_map_raw& map);

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
    int get_raw(const struct fi_mr_raw_attr& out) const;
    friend struct std::default_delete<MemoryRegion>;

    Face<fid_mr, MemoryRegion> face_{};
    Use<Domain> domain_;
    const uint64_t base_; // what peers call its first byte
    Use<Counter> remote_reads_;
    Use<Counter> remote_writes_;
    std::unique_ptr<DedupAttached> dedup_; // null: not attached
};

} // namespace rill::fi
