// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// rillctl: looks at device types and at devices of running processes. man/rillctl.1.md.
#include "fi/device_files.hpp"
#include "nic/config_dump.hpp"
#include "nic/config_functions.hpp"
#include "nic/shipped_types.hpp"

#include <charconv>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace rill::tools {
namespace {

// Where a dump places the address registers: what a PC's firmware leaves free under 4 GiB.
constexpr uint32_t kWindow = 0xd0000000;

int usage() {
    std::fputs("usage: rillctl types\n"
               "       rillctl dump TYPE|FILE [VIRTUAL-FUNCTIONS]\n",
               stderr);
    return 2;
}

int fail(const std::string& why) {
    std::fprintf(stderr, "rillctl: %s\n", why.c_str());
    return 1;
}

struct NoEffects : nic::FunctionEffects {
    void reset_function(uint16_t) override {}
    void set_bus_master(uint16_t, bool) override {}
    void set_msix(uint16_t, bool, bool) override {}
};

int types() {
    for (const char* text : nic::shipped_device_types()) {
        nic::DeviceType t;
        std::string error;
        if (!nic::read_device_type(text, t, error)) return fail(error);
        std::printf("%-10s %04x:%04x  %u virtual functions, %u queue pairs, %u KiB device memory\n"
                    "           %s\n",
                    t.name.c_str(), t.vendor_id, t.device_id, t.virtual_functions(),
                    t.queue_pairs_max, t.device_memory_bytes / 1024, t.description.c_str());
    }
    return 0;
}

int dump(const std::string& word, std::string_view number) {
    uint16_t virtual_functions = 0;
    const char* end = number.data() + number.size();
    const auto [rest, failure] = std::from_chars(number.data(), end, virtual_functions);
    if (failure != std::errc() || rest != end) return usage();
    nic::DeviceType type;
    std::string error;
    if (!fi::find_device_type(word, type, error)) return fail(error);
    if (virtual_functions > type.virtual_functions())
        return fail(type.name + " has at most " + std::to_string(type.virtual_functions()) +
                    " virtual functions");
    NoEffects effects;
    nic::ConfigFunctions functions(type, effects);
    nic::ConfigSpaces spaces(functions);
    const Instant now{}; // nothing of this is late
    Status s = nic::assign_addresses(spaces, 0, kWindow, now);
    if (is_ok(s) && virtual_functions) s = nic::enable_virtual(spaces, virtual_functions, now);
    std::string out;
    for (uint16_t f = 0; is_ok(s) && f < functions.count(); ++f)
        s = nic::append_dump(spaces, f, now, out);
    if (!is_ok(s)) return fail(std::string("configuration space: ") + to_string(s));
    std::fputs(out.c_str(), stdout);
    return 0;
}

} // namespace

int run(std::span<char*> words) {
    const std::string_view command = words.size() > 1 ? words[1] : "";
    if (command == "types" && words.size() == 2) return types();
    if (command == "dump" && (words.size() == 3 || words.size() == 4))
        return dump(words[2], words.size() == 4 ? words[3] : "0");
    return usage();
}

} // namespace rill::tools

int main(int argc, char** argv) {
    return rill::tools::run({argv, static_cast<size_t>(argc)});
}
