// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/memory_regions.hpp"

#include <criterion/criterion.h>

using namespace rill;
using namespace rill::nic;

namespace {

MemoryRegion region(uint64_t base, uint64_t length, uint8_t access) {
    MemoryRegion r;
    r.base = base;
    r.length = length;
    r.access = access;
    r.pieces = std::make_shared<const MemoryRegion::Pieces>();
    return r;
}

} // namespace

Test(memory_regions, key_rights_and_range_are_checked_in_this_order) {
    MemoryRegionTable table;
    cr_assert(table.add(7, region(1000, 100, kRemoteReadable)));
    cr_assert_not(table.add(7, region(0, 1, 0)), "a key has one region");
    const MemoryRegion* found = nullptr;
    uint64_t at = 0;
    const auto check = [&](uint64_t key, uint8_t access, uint64_t address, uint64_t length) {
        return table.check(key, access, address, length, found, at);
    };
    cr_assert_eq(check(8, kRemoteWritable, 0, 0), Status::bad_key);
    cr_assert_eq(check(7, kRemoteWritable, 0, 0), Status::bad_access);
    cr_assert_eq(check(7, kRemoteReadable, 999, 1), Status::bad_range);
    cr_assert_eq(check(7, kRemoteReadable, 1000, 101), Status::bad_range);
    cr_assert_eq(check(7, kRemoteReadable, 1100, 1), Status::bad_range);
    cr_assert_eq(check(7, kRemoteReadable, 1101, 0), Status::bad_range);
    cr_assert_eq(check(7, kRemoteReadable, 1001, UINT64_MAX), Status::bad_range);
    cr_assert_eq(check(7, kRemoteReadable, UINT64_MAX, 2), Status::bad_range);
    cr_assert_null(found, "written on success only");
    cr_assert_eq(check(7, kRemoteReadable, 1100, 0), Status::ok);
    cr_assert_eq(check(7, kRemoteReadable, 1010, 90), Status::ok);
    cr_assert_eq(at, 10u);
    table.remove(7);
    cr_assert_eq(check(7, kRemoteReadable, 1010, 90), Status::bad_key);
}

Test(memory_regions, one_may_cover_everything) {
    MemoryRegionTable table;
    cr_assert(table.add(1, region(0, UINT64_MAX, kRemoteReadable)));
    const MemoryRegion* found = nullptr;
    uint64_t at = 0;
    const uint64_t last = UINT64_MAX - 1;
    cr_assert_eq(table.check(1, kRemoteReadable, last, 1, found, at), Status::ok);
    cr_assert_eq(at, last);
    cr_assert_eq(table.check(1, kRemoteReadable, last, 2, found, at), Status::bad_range);
}
