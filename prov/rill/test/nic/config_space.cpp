// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Configuration space: statements E1 to E6 of the requirements.
#include "nic/config_space.hpp"
#include "nic/config_dump.hpp"
#include "nic/config_functions.hpp"

#include <criterion/criterion.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

using namespace rill;
using namespace rill::nic;

namespace {

std::string text_of(const std::string& name) {
    const char* top = std::getenv("top_srcdir");
    std::ifstream in(std::string(top ? top : "..") + "/prov/rill/devices/" + name + ".json");
    std::stringstream all;
    all << in.rdbuf();
    cr_assert_gt(all.str().size(), 0u, "prov/rill/devices/%s.json", name.c_str());
    return all.str();
}

DeviceType type_of(const std::string& name) {
    DeviceType type;
    std::string error;
    cr_assert(read_device_type(text_of(name), type, error), "%s", error.c_str());
    return type;
}

struct Effects : FunctionEffects {
    std::vector<uint16_t> resets;
    std::set<uint16_t> masters;
    int msix_changes = 0;
    void reset_function(uint16_t f) override {
        resets.push_back(f);
        masters.erase(f);
    }
    void set_bus_master(uint16_t f, bool on) override {
        if (on)
            masters.insert(f);
        else
            masters.erase(f);
    }
    void set_msix(uint16_t, bool, bool) override { ++msix_changes; }
};

struct Bench {
    explicit Bench(const std::string& name) : type(type_of(name)) {}
    DeviceType type;
    Effects effects;
    ConfigFunctions functions{type, effects};
    ConfigSpaces spaces{functions};
    Instant now{std::chrono::seconds(5)};

    uint32_t read(uint16_t f, uint32_t at, uint8_t width = 4) {
        uint32_t v = 0;
        cr_assert(is_ok(spaces.access({f, static_cast<uint16_t>(at), width, false, 0}, now, v)));
        return v;
    }
    void write(uint16_t f, uint32_t at, uint8_t width, uint32_t value) {
        uint32_t v = 0;
        cr_assert(is_ok(spaces.access({f, static_cast<uint16_t>(at), width, true, value}, now, v)));
    }
};

// Fails everything that it is asked.
struct Broken : ConfigEmulation {
    bool has(uint16_t) const override { return true; }
    Status serve(const ConfigAccess&, uint32_t&) override { return Status::io_error; }
};

} // namespace

Test(config_space, E1_every_access_is_logged_before_it_is_served_and_its_outcome_after) {
    // The emulation looks at the log while it serves.
    struct Witness : ConfigEmulation {
        ConfigSpaces* spaces = nullptr;
        size_t seen = 0;
        bool has(uint16_t) const override { return true; }
        Status serve(const ConfigAccess&, uint32_t& value) override {
            ConfigSpaces::LogEntry last;
            spaces->for_each_log_entry([&](const auto& e) { last = e; });
            seen += last.phase == ConfigSpaces::Phase::requested && last.access.offset == 8;
            value = 42;
            return Status::ok;
        }
    } witness;
    ConfigSpaces spaces(witness);
    witness.spaces = &spaces;
    uint32_t v = 0;
    cr_assert(is_ok(spaces.access({0, 8, 4, false, 0}, Instant{}, v)));
    cr_assert_eq(witness.seen, 1u);
    cr_assert_eq(spaces.access({0, 9, 4, false, 0}, Instant{}, v), Status::invalid);
    std::vector<ConfigSpaces::LogEntry> all;
    spaces.for_each_log_entry([&](const auto& e) { all.push_back(e); });
    cr_assert_eq(all.size(), 4u);
    cr_assert(all[1].phase == ConfigSpaces::Phase::served && all[1].value == 42);
    cr_assert(all[3].phase == ConfigSpaces::Phase::failed && all[3].status == Status::invalid);
    cr_assert_eq(all[2].number, all[3].number);
    for (int i = 0; i < 2000; ++i)
        (void)spaces.access({0, 8, 4, false, 0}, Instant{}, v);
    size_t entries = 0;
    spaces.for_each_log_entry([&](const auto& e) { all[0] = e, ++entries; });
    cr_assert_eq(entries, ConfigSpaces::kLogEntries, "the log is bounded");
    cr_assert_eq(all[0].number, 2002u, "and the newest entry is the last");
}

Test(config_space, E2_native_and_emulated_spaces_are_told_apart) {
    Bench b("rill-std");
    ConfigImage native = make_config_image(type_of("rill-lite"), false);
    b.spaces.add_native(0, native);
    cr_assert_not(b.spaces.is_emulated(0));
    cr_assert_eq(b.read(0, pci::kDeviceId, 2), 0x0002u);
    b.spaces.set_emulated(0, true);
    cr_assert_eq(b.read(0, pci::kDeviceId, 2), 0x0001u);
    b.write(0, pci::kCommand, 2, pci::kBusMaster);
    b.spaces.set_emulated(0, false);
    cr_assert_eq(b.read(0, pci::kCommand, 2), 0u, "the native bytes are others");
}

Test(config_space, E3_one_emulation_serves_the_physical_and_the_virtual_functions) {
    Bench b("rill-std");
    uint32_t v = 0;
    cr_assert_eq(b.spaces.access({1, 0, 4, false, 0}, b.now, v), Status::not_found);
    cr_assert_eq(v, UINT32_MAX, "nobody answers: all ones");
    cr_assert_eq(enable_virtual(b.spaces, 5, b.now), Status::invalid, "more than there can be");
    cr_assert(is_ok(enable_virtual(b.spaces, 3, b.now)));
    cr_assert_eq(b.functions.count(), 4u);
    cr_assert_eq(b.read(3, pci::kDeviceId, 2), 0x8001u);
    cr_assert_eq(b.effects.masters, std::set<uint16_t>({1, 2, 3}));
    // Each has its own space.
    b.write(2, pci::kCommand, 2, 0);
    cr_assert_eq(b.read(1, pci::kCommand, 2), pci::kBusMaster);
    // The number is fixed while they are enabled.
    const uint16_t sriov = find_capability(b.spaces, 0, 0x10, true, b.now);
    b.write(0, sriov + pci::kSriovNumber, 2, 1);
    cr_assert_eq(b.read(0, sriov + pci::kSriovNumber, 2), 3u);
    b.write(0, sriov + pci::kSriovControl, 2, 0);
    cr_assert_eq(b.functions.count(), 1u);
    cr_assert_eq(b.effects.resets, std::vector<uint16_t>({3, 2, 1}));
    Bench lite("rill-lite");
    cr_assert_eq(enable_virtual(lite.spaces, 1, lite.now), Status::unsupported);
}

Test(config_space, E4_another_file_makes_another_device_type) {
    Bench std_type("rill-std"), lite("rill-lite");
    cr_assert_neq(std_type.read(0, pci::kDeviceId, 2), lite.read(0, pci::kDeviceId, 2));
    cr_assert_neq(find_capability(std_type.spaces, 0, 0x10, true, {}), 0u);
    cr_assert_eq(find_capability(lite.spaces, 0, 0x10, true, {}), 0u);
    cr_assert(is_ok(assign_addresses(std_type.spaces, 0, 0xe0000000, std_type.now)));
    cr_assert(is_ok(assign_addresses(lite.spaces, 0, 0xe0000000, lite.now)));
    cr_assert_eq(std_type.read(0, pci::kBar0), 0xe0000000u);
    cr_assert_eq(std_type.read(0, pci::kBar2), 0xe1000000u, "its own size is its alignment");
    cr_assert_eq(lite.read(0, pci::kBar2), 0u, "no device memory");
    // Any text that is not a description is an error that names the field.
    const std::string good = text_of("rill-std");
    const std::pair<const char*, const char*> changes[] = {
        {"\"vendor_id\": \"0xe1ab\"", "\"vendor_id\": \"0x1ffff\""},
        {"\"vendor_id\"", "\"vender_id\""},
        {"\"kind\": \"vendor\"", "\"kind\": \"window\""},
        {"\"at\": \"0x50\"", "\"at\": \"0x44\""},
        {"\"at\": \"0x100\"", "\"at\": \"0x104\""},
        {"\"vectors\": 32", "\"vectors\": 0"},
        {"16777216,\n    \"cap", "16777215,\n    \"cap"},
        {"\"async_events\"", "\"telepathy\""},
        {"\"name\": \"rill-std\"", "\"name\": 7"},
        {"}", ""},
    };
    for (const auto& [from, to] : changes) {
        std::string text = good, error;
        const size_t at = text.find(from);
        cr_assert_neq(at, std::string::npos, "%s", from);
        text.replace(at, std::string(from).size(), to);
        DeviceType type;
        cr_assert_not(read_device_type(text, type, error), "%s", to);
        cr_assert(!error.empty() && type.name.empty(), "nothing is written on failure");
    }
}

Test(config_space, E5_a_failing_emulation_fails_the_access_and_leaves_the_native_space_alone) {
    Broken broken;
    ConfigSpaces spaces(broken);
    const ConfigImage image = make_config_image(type_of("rill-std"), false);
    spaces.add_native(0, image);
    spaces.set_emulated(0, true);
    uint32_t v = 0;
    for (uint32_t at = 0; at < pci::kConfigBytes; at += 4) {
        cr_assert_eq(spaces.access({0, static_cast<uint16_t>(at), 4, true, UINT32_MAX},
                                   Instant{std::chrono::seconds(at)}, v),
                     Status::io_error);
    }
    cr_assert_eq(spaces.access({0, 0, 2, false, 0}, Instant{std::chrono::hours(9)}, v),
                 Status::io_error);
    cr_assert_eq(v, 0xffffu);
    spaces.set_emulated(0, false);
    for (uint32_t at = 0; at < pci::kConfigBytes; at += 4) {
        const Instant then{std::chrono::hours(10) + std::chrono::seconds(at)};
        cr_assert(is_ok(spaces.access({0, static_cast<uint16_t>(at), 4, false, 0}, then, v)));
        cr_assert_eq(v, image.read(static_cast<uint16_t>(at), 4));
    }
}

Test(config_space, E6_an_abnormal_rate_is_refused_for_that_function_alone) {
    Bench b("rill-std");
    cr_assert(is_ok(enable_virtual(b.spaces, 1, b.now)));
    uint32_t v = 0;
    Status s = Status::ok;
    uint32_t served = 0;
    while (is_ok(s = b.spaces.access({1, 0, 4, false, 0}, b.now, v)))
        cr_assert_lt(++served, 2 * ConfigSpaces::kBurst);
    cr_assert_eq(s, Status::again);
    cr_assert_geq(served, ConfigSpaces::kBurst - 8);
    cr_assert_eq(b.spaces.refused(), 1u);
    cr_assert_eq(b.read(0, 0, 2), 0xe1abu, "the other function is served");
    b.now += 3 * ConfigSpaces::kRefill;
    for (int i = 0; i < 3; ++i)
        (void)b.read(1, 0);
    cr_assert_eq(b.spaces.access({1, 0, 4, false, 0}, b.now, v), Status::again);
}

Test(config_space, E6_a_capability_write_resets_what_it_governs) {
    Bench b("rill-std");
    cr_assert(is_ok(assign_addresses(b.spaces, 0, 0xe0000000, b.now)));
    cr_assert(is_ok(enable_virtual(b.spaces, 2, b.now)));
    const uint16_t msix = find_capability(b.spaces, 1, 0x11, false, b.now);
    b.write(1, msix + pci::kMsixControl, 2, 0x8000);
    cr_assert_eq(b.effects.msix_changes, 1);
    // A reset of a virtual function is its own affair.
    const uint16_t express = find_capability(b.spaces, 1, 0x10, false, b.now);
    b.write(1, express + pci::kDeviceControl, 2, pci::kFunctionReset);
    cr_assert_eq(b.effects.resets, std::vector<uint16_t>({1}));
    cr_assert_eq(b.read(1, msix + pci::kMsixControl, 2) & 0x8000, 0u);
    cr_assert_eq(b.read(1, express + pci::kDeviceControl, 2) & pci::kFunctionReset, 0u);
    cr_assert_eq(b.read(1, pci::kCommand, 2), 0u);
    cr_assert_eq(b.read(2, pci::kCommand, 2), pci::kBusMaster);
    // One of the physical function takes the virtual ones along.
    b.write(0, express + pci::kDeviceControl, 2, pci::kFunctionReset);
    cr_assert_eq(b.effects.resets, std::vector<uint16_t>({1, 2, 1, 0}));
    cr_assert_eq(b.functions.count(), 1u);
    cr_assert_eq(b.read(0, pci::kBar0), 0u);
    cr_assert(b.effects.masters.empty());
}

Test(config_space, read_only_bytes_stay_whatever_is_written) {
    Bench b("rill-std");
    const uint32_t id = b.read(0, 0);
    b.write(0, 0, 4, UINT32_MAX);
    b.write(0, pci::kCapabilities, 1, 0xff);
    b.write(0, 0x100, 4, UINT32_MAX);
    cr_assert_eq(b.read(0, 0), id);
    cr_assert_eq(b.read(0, pci::kCapabilities, 1), 0x40u);
    cr_assert_eq(b.read(0, 0x100, 2), 0x0001u);
}
