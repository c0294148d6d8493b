// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/engine.hpp"
#include "fi/registry.hpp"
#include "fi/wake_fd.hpp"

#include <rdma/fi_ext_rill.h>

#include <cstdint>
#include <memory>

namespace rill::fi {

class Domain;

// The known chunks: what a program holds of a store of the device.
class DedupStore : public Registered {
public:
    using Fid = fid_rill_store;

    static int open(Domain& domain, const fi_rill_store_attr& attr, fid_rill_store** out,
                    void* context);
    ~DedupStore();
    // Whether it is the handle of one that is open.
    static bool is_open(const fid_rill_store* handle);

    int close();
    Domain& domain() { return *domain_; }
    uint64_t number() const { return number_; }

    Uses uses;

private:
    DedupStore(Domain& domain, uint64_t number, void* context);

    Face<fid_rill_store, DedupStore> face_{};
    Use<Domain> domain_;
    const uint64_t number_;
};

// A ring of records. With a descriptor it is readable while there are records.
class DedupRing : public Registered, PassListener {
public:
    using Fid = fid_rill_ring;

    static int open(Domain& domain, const fi_rill_ring_attr& attr, fid_rill_ring** out,
                    void* context);
    ~DedupRing();
    static bool is_open(const fid_rill_ring* handle);

    int close();
    int control(int command, void* arg);
    Domain& domain() { return *domain_; }
    uint64_t number() const { return number_; }
    ssize_t read(fi_rill_record* records, size_t count);
    void passed() override;

    Uses uses;

private:
    DedupRing(Domain& domain, uint64_t number, WakeFd wake, void* context);

    Face<fid_rill_ring, DedupRing> face_{};
    Use<Domain> domain_;
    const uint64_t number_;
    WakeFd wake_; // not open: nobody waits for it
    bool raised_ = false;
    uint64_t dropped_ = 0; // as the program has been told
};

// What an endpoint or a region is attached to.
struct DedupAttached {
    Use<DedupStore> store;
    Use<DedupRing> ring;

    explicit operator bool() const { return static_cast<bool>(store); }
};

// For fi_open_ops.
extern fi_rill_ops_dedup dedup_ops;

} // namespace rill::fi
