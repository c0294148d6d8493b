// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What the programs `rma` and `atomics` share: endpoints that may do everything to each other's
// memory, and memory that they may do it to.
#pragma once

#include "harness.hpp"

#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

namespace functional {

inline Config remote_config() {
    Config config;
    config.caps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC;
    return config;
}

// A registered range. `address` is what peers call its first byte.
struct Target {
    Target(const Side& owner, void* memory, size_t bytes, uint64_t key = 7,
           uint64_t access = FI_REMOTE_READ | FI_REMOTE_WRITE) {
        fid_mr* region = nullptr;
        check_ok(fi_mr_reg(owner.domain.get(), memory, bytes, access, 0, key, 0, &region, nullptr),
                 "fi_mr_reg");
        mr = Mr(region);
        this->key = fi_mr_key(region);
        if (owner.info->domain_attr->mr_mode & (FI_MR_VIRT_ADDR | FI_MR_BASIC)) {
            address = reinterpret_cast<uint64_t>(memory);
        }
    }
    Mr mr;
    uint64_t key = 0;
    uint64_t address = 0;
};

// Cases of the program `rma` about accesses that must fail, and about what surrounds transfers.
void add_rma_fault_cases(std::vector<Case>& cases);
void add_rma_event_cases(std::vector<Case>& cases);

} // namespace functional
