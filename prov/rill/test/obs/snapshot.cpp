// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The tables of a snapshot, written and read.
#include "obs/snapshot.hpp"

#include <criterion/criterion.h>

using namespace rill::obs;

namespace {

Snapshot sample() {
    Snapshot s;
    s.begin(TableKind::resource, sizeof(ResourceEntry));
    s.add(ResourceEntry{1, 64, 128});
    s.add(ResourceEntry{2, 192, 4096});
    s.begin(TableKind::region, sizeof(RegionEntry));
    s.begin(TableKind::reg, sizeof(RegisterEntry));
    s.add(RegisterEntry{0, 0x48, 5});
    return s;
}

} // namespace

Test(snapshot, tables_come_back) {
    const Snapshot s = sample();
    const auto resources = entries_of<ResourceEntry>(s.bytes(), TableKind::resource);
    cr_assert_eq(resources.size(), 2u);
    cr_assert_eq(resources[1].function, 2u);
    cr_assert_eq(resources[1].offset, 4096u);
    cr_assert(entries_of<RegionEntry>(s.bytes(), TableKind::region).empty());
    const auto registers = entries_of<RegisterEntry>(s.bytes(), TableKind::reg);
    cr_assert_eq(registers.size(), 1u);
    cr_assert_eq(registers[0].value, 5u);
    cr_assert(entries_of<PathEntry>(s.bytes(), TableKind::path).empty());
}

// Cut anywhere, as by a file that could not grow: what is there whole is found, and nothing else.
Test(snapshot, cut_anywhere) {
    const Snapshot s = sample();
    const size_t second = sizeof(TableHead) + 2 * sizeof(ResourceEntry);
    for (size_t n = 0; n <= s.bytes().size(); ++n) {
        const auto found = entries_of<ResourceEntry>(s.bytes().first(n), TableKind::resource);
        const size_t whole =
            n < sizeof(TableHead) ? 0 : (n - sizeof(TableHead)) / sizeof(ResourceEntry);
        cr_assert_eq(found.size(), n >= second ? 2 : whole, "%zu bytes", n);
    }
}

// A writer of another release has longer or shorter entries.
Test(snapshot, entries_of_another_length) {
    struct Longer {
        ResourceEntry entry;
        uint64_t more;
    };
    Snapshot s;
    s.begin(TableKind::resource, sizeof(Longer));
    s.add(Longer{{1, 2, 3}, 4});
    s.add(Longer{{5, 6, 7}, 8});
    s.begin(TableKind::reg, sizeof(uint64_t));
    s.add(uint64_t{9});
    const auto resources = entries_of<ResourceEntry>(s.bytes(), TableKind::resource);
    cr_assert_eq(resources.size(), 2u);
    cr_assert_eq(resources[1].offset, 7u);
    const auto registers = entries_of<RegisterEntry>(s.bytes(), TableKind::reg);
    cr_assert_eq(registers.size(), 1u);
    cr_assert_eq(registers[0].function, 9u);
    cr_assert_eq(registers[0].value, 0u);
}

Test(snapshot, garbage_is_no_table) {
    std::vector<std::byte> bytes(4096, std::byte{0xff});
    cr_assert(entries_of<ResourceEntry>(bytes, TableKind::resource).empty());
    bytes.assign(4096, std::byte{0});
    cr_assert(entries_of<ResourceEntry>(bytes, TableKind::resource).empty());
}
