// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// rillctl: looks at device types and at devices of running processes, resets these and provokes their
// faults. man/rillctl.1.md.
#include "fi/device_files.hpp"
#include "nic/config_dump.hpp"
#include "nic/config_functions.hpp"
#include "nic/function.hpp"
#include "nic/shipped_types.hpp"
#include "obs/snapshot.hpp"
#include "running.hpp"
#include "state.hpp"
#include "table.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rill::tools {
namespace {

// Where a dump places the address registers: what a PC's firmware leaves free under 4 GiB.
constexpr uint32_t kWindow = 0xd0000000;

int usage() {
    std::fputs("usage: rillctl types\n"
               "       rillctl list\n"
               "       rillctl show PROCESS [PART]\n"
               "       rillctl dump PROCESS\n"
               "       rillctl dump TYPE|FILE [VIRTUAL-FUNCTIONS]\n"
               "       rillctl reset PROCESS\n"
               "       rillctl fault PROCESS POINT [TIMES]\n"
               "PROCESS: a process number, or one of its devices as `rillctl list` names it\n"
               "PART: usage, counters, placement, functions, registers, queue_pairs, resources,\n"
               "      regions, contexts or paths; all of them if none is named\n"
               "POINT: reset_in_flight, admin_timeout, resource_exhaustion, queue_overrun or\n"
               "       stuck_interrupt\n",
               stderr);
    return 2;
}

int fail(const std::string& why) {
    std::fprintf(stderr, "rillctl: %s\n", why.c_str());
    return 1;
}

template <class T>
bool whole_number(std::string_view text, T& value) {
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, value);
    return failure == std::errc() && rest == end;
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

// The devices that `word` names, with what they export: f(device, tables).
template <class F>
int with_each(std::string_view word, F&& f) {
    std::vector<obs::ExportReader> devices;
    std::string error;
    if (!find_running(word, devices, error)) return fail(error);
    for (obs::ExportReader& device : devices) {
        obs::ExportReader::Tables tables;
        std::string note;
        if (!look(device, tables, note, error)) return fail(error);
        if (!note.empty())
            std::fprintf(stderr, "rillctl: process %lld %s\n",
                         static_cast<long long>(device.header().pid), note.c_str());
        f(device, tables);
    }
    return 0;
}

int list() {
    std::vector<std::string> problems;
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (obs::ExportReader& device : running_devices(problems)) {
        obs::ExportReader::Tables tables;
        if (!device.read(tables)) continue; // it is at work on it: the head tells enough
        const auto s = state_of(device, tables);
        rows.push_back({{"device", s["device"]},
                        {"program", s["program"]},
                        {"uid", s["uid"]},
                        {"type", s["type"]},
                        {"functions", s["functions"].size()},
                        {"interface", s["interface"]},
                        {"address", s["address"]}});
    }
    for (const std::string& problem : problems)
        std::fprintf(stderr, "rillctl: %s\n", problem.c_str());
    std::fputs(table_of(rows).c_str(), stdout);
    return 0;
}

constexpr std::string_view kParts[] = {"usage",     "counters",    "placement", "functions",
                                       "registers", "queue_pairs", "resources", "regions",
                                       "contexts",  "paths"};

// An object, one line for each of its fields, or a table.
std::string part_text(const nlohmann::ordered_json& part) {
    if (part.is_array()) return table_of(part);
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : part.items())
        rows.push_back({name, cell_of(value)});
    return table_of(rows);
}

int show(std::string_view process, std::string_view part) {
    if (!part.empty() && std::find(std::begin(kParts), std::end(kParts), part) == std::end(kParts))
        return usage();
    return with_each(
        process, [&](const obs::ExportReader& device, const obs::ExportReader::Tables& tables) {
            const auto state = state_of(device, tables);
            std::printf("%s %s: %s on %s, %s\n", cell_of(state["device"]).c_str(),
                        cell_of(state["program"]).c_str(), cell_of(state["type"]).c_str(),
                        cell_of(state["interface"]).c_str(), cell_of(state["address"]).c_str());
            for (const std::string_view name : kParts) {
                if (!part.empty() && part != name) continue;
                std::printf("\n%.*s\n%s", static_cast<int>(name.size()), name.data(),
                            part_text(state[std::string(name)]).c_str());
            }
        });
}

// A process whose devices are all meant must have one only: which is no guess to be made here.
bool find_one(std::string_view process, std::vector<obs::ExportReader>& out, std::string& error) {
    if (!find_running(process, out, error)) return false;
    if (out.size() == 1) return true;
    error = "process " + std::string(process) + " has " + std::to_string(out.size()) +
            " devices; name one, such as " + out[0].name();
    return false;
}

int dump_running(std::string_view process) {
    std::vector<obs::ExportReader> devices;
    std::string error;
    if (!find_one(process, devices, error)) return fail(error);
    return with_each(
        process, [](const obs::ExportReader&, const obs::ExportReader::Tables& tables) {
            std::string out;
            using Entry = obs::FunctionEntry;
            for (const Entry& f : obs::entries_of<Entry>(tables.bytes, obs::TableKind::function))
                nic::append_dump(f.config, static_cast<uint16_t>(f.number), out);
            std::fputs(out.c_str(), stdout);
        });
}

int act(std::string_view process, obs::Command what) {
    std::vector<obs::ExportReader> devices;
    std::string error;
    if (!find_one(process, devices, error) || !command(devices[0], what, error)) return fail(error);
    return 0;
}

int fault(std::string_view process, std::string_view point, std::string_view number) {
    const auto* const at =
        std::find(std::begin(nic::kFaultPointNames), std::end(nic::kFaultPointNames), point);
    uint32_t times = 0;
    if (at == std::end(nic::kFaultPointNames) || !whole_number(number, times)) return usage();
    const auto which = static_cast<uint8_t>(at - std::begin(nic::kFaultPointNames));
    return act(process, {0, obs::CommandKind::fault, which, times});
}

int dump_type(const std::string& word, std::string_view number) {
    uint16_t virtual_functions = 0;
    if (!whole_number(number, virtual_functions)) return usage();
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
    if (command == "list" && words.size() == 2) return list();
    if (command == "show" && (words.size() == 3 || words.size() == 4) && names_process(words[2]))
        return show(words[2], words.size() == 4 ? words[3] : "");
    if (command == "dump" && words.size() == 3 && names_process(words[2]))
        return dump_running(words[2]);
    if (command == "dump" && (words.size() == 3 || words.size() == 4))
        return dump_type(words[2], words.size() == 4 ? words[3] : "0");
    if (command == "reset" && words.size() == 3 && names_process(words[2]))
        return act(words[2], {0, obs::CommandKind::reset, 0, 0});
    if (command == "fault" && (words.size() == 4 || words.size() == 5) && names_process(words[2]))
        return fault(words[2], words[3], words.size() == 5 ? words[4] : "1");
    return usage();
}

} // namespace rill::tools

int main(int argc, char** argv) {
    return rill::tools::run({argv, static_cast<size_t>(argc)});
}
