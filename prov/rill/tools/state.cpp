// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "state.hpp"

#include "link/clock.hpp"
#include "nic/describe.hpp"
#include "nic/registers.hpp"
#include "obs/snapshot.hpp"
#include "transport/state.hpp"

#include <cstdio>
#include <map>
#include <string>

namespace rill::tools {
namespace {

using Json = nlohmann::ordered_json;
using obs::TableKind;

template <size_t N>
std::string text_of(const char (&field)[N]) {
    return std::string(field, strnlen(field, N));
}

std::string text_of(const obs::AddressWords& words) {
    const wire::Address a = nic::address_of(words);
    return a.valid() ? wire::to_string(a) : "-";
}

std::string hex(uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

// Another release's process may be in a state that we do not know.
std::string state_name(uint32_t state) {
    static constexpr const char* kNames[] = {"unopened", "opening", "accepted", "established",
                                             "retiring", "agreed",  "leaving",  "ended"};
    static_assert(std::size(kNames) == static_cast<size_t>(transport::State::ended) + 1);
    return state < std::size(kNames) ? kNames[state] : std::to_string(state);
}

Json features(uint32_t bits) {
    Json names = Json::array();
    if (bits & nic::kFeatureDeviceMemory) names.push_back("device_memory");
    if (bits & nic::kFeatureStatistics) names.push_back("statistics");
    if (bits & nic::kFeatureAsyncEvents) names.push_back("async_events");
    return names;
}

double us(int64_t ns) {
    return static_cast<double>(ns) / 1e3;
}

Json share(uint64_t part, uint64_t whole) {
    return whole ? Json(static_cast<double>(part) / static_cast<double>(whole)) : Json();
}

Json usage(const obs::DeviceEntry& e) {
    return {{"bar2_bytes", e.bar2_bytes},
            {"bar2_free", e.bar2_free},
            {"bar2_longest_free", e.bar2_longest_free},
            {"completions", e.completions},
            {"completions_max", e.completions_max},
            {"sends", e.sends},
            {"inbound", e.inbound},
            {"envelopes", e.envelopes},
            {"bounce_bytes", e.bounce_bytes},
            {"fetches", e.fetches},
            {"config_accesses", e.config_accesses},
            {"config_refused", e.config_refused}};
}

Json function(const obs::FunctionEntry& e) {
    return {{"number", e.number},
            {"features", features(e.features)},
            {"queue_pairs", e.queue_pairs},
            {"address_handles", e.address_handles},
            {"commands", e.commands}};
}

Json reg(const obs::RegisterEntry& e) {
    const auto* info = std::find_if(std::begin(nic::kRegisterTable), std::end(nic::kRegisterTable),
                                    [&](const auto& r) { return r.offset == e.offset; });
    const bool known = info != std::end(nic::kRegisterTable);
    return {{"function", e.function},
            {"register", known ? info->name : "?"},
            {"offset", hex(e.offset)},
            {"value", hex(e.value)},
            {"meaning", known ? info->help : ""}};
}

Json queue_pair(const obs::QueuePairEntry& e) {
    return {{"number", e.number},    {"address", text_of(e.address)}, {"shared", e.shared},
            {"sends", e.sends},      {"receives", e.receives},        {"tagged", e.tagged},
            {"untagged", e.untagged}};
}

Json resource(const obs::ResourceEntry& e) {
    return {{"function", e.function}, {"offset", hex(e.offset)}, {"bytes", e.bytes}};
}

Json region(const obs::RegionEntry& e) {
    return {{"key", hex(e.key)},
            {"base", hex(e.base)},
            {"length", e.length},
            {"readable", (e.access & nic::kRemoteReadable) != 0},
            {"writable", (e.access & nic::kRemoteWritable) != 0},
            {"pieces", e.pieces}};
}

Json context(const obs::ContextEntry& e) {
    return {{"id", hex(e.id)},
            {"state", state_name(e.state)},
            {"peer", text_of(e.data)},
            {"endpoint", text_of(e.endpoint)},
            {"opened_by", e.opened_by_us ? "us" : "peer"},
            {"window_bytes", e.window_bytes},
            {"in_flight_bytes", e.in_flight_bytes},
            {"credit_bytes", e.credit},
            {"paths", std::max(e.tx_paths, e.rx_paths)}};
}

Json path(const obs::PathEntry& e, const std::string& peer, uint64_t all_bytes) {
    return {{"context", hex(e.context)},
            {"peer", peer},
            {"path", e.number},
            {"share", share(e.tx_bytes, all_bytes)},
            {"tx_packets", e.tx_packets},
            {"tx_bytes", e.tx_bytes},
            {"tx_retransmits", e.tx_retransmits},
            {"losses", e.losses},
            {"marks", e.marks},
            {"penalty", e.penalty},
            {"rtt_us", us(e.rtt_ns)},
            {"rtt_min_us", us(e.rtt_min_ns)},
            {"rtt_var_us", us(e.rtt_var_ns)},
            {"rx_packets", e.rx_packets},
            {"rx_bytes", e.rx_bytes},
            {"rx_marks", e.rx_marks}};
}

template <class Entry, class F>
Json table(const obs::ExportReader::Tables& tables, TableKind kind, F&& row) {
    Json rows = Json::array();
    for (const Entry& e : obs::entries_of<Entry>(tables.bytes, kind))
        rows.push_back(row(e));
    return rows;
}

Json paths(const obs::ExportReader::Tables& tables) {
    std::map<uint32_t, std::string> peers;
    for (const auto& c : obs::entries_of<obs::ContextEntry>(tables.bytes, TableKind::context))
        peers[c.id] = text_of(c.data);
    uint64_t all_bytes = 0;
    for (const auto& p : obs::entries_of<obs::PathEntry>(tables.bytes, TableKind::path))
        all_bytes += p.tx_bytes;
    return table<obs::PathEntry>(tables, TableKind::path, [&](const obs::PathEntry& e) {
        return path(e, peers[e.context], all_bytes);
    });
}

Json placement(const Json& counters) {
    Json p;
    for (const char* what :
         {"direct_packets", "direct_bytes", "indirect_packets", "indirect_bytes", "refused_bytes"})
        p[what] = counters.value(std::string("rx_") + what, uint64_t{0});
    const uint64_t direct = p["direct_bytes"];
    p["direct_share"] = share(direct, direct + p["indirect_bytes"].get<uint64_t>());
    return p;
}

} // namespace

Json state_of(const obs::ExportReader& device, const obs::ExportReader::Tables& tables) {
    const obs::Header& h = device.header();
    const Duration age = link::monotonic_now().time_since_epoch() - Duration(tables.at_ns);
    Json s = {{"device", device.name()},       {"pid", h.pid},
              {"program", text_of(h.program)}, {"uid", h.uid},
              {"type", text_of(h.device)},     {"interface", text_of(h.interface)},
              {"address", text_of(h.address)}, {"age_s", static_cast<double>(age.count()) / 1e9}};
    s["counters"] = Json::object();
    for (const auto& [name, value] : device.counters())
        s["counters"][name] = value;
    s["placement"] = placement(s["counters"]);
    const auto devices = obs::entries_of<obs::DeviceEntry>(tables.bytes, TableKind::device);
    s["usage"] = devices.empty() ? Json::object() : usage(devices[0]);
    s["functions"] = table<obs::FunctionEntry>(tables, TableKind::function, function);
    s["registers"] = table<obs::RegisterEntry>(tables, TableKind::reg, reg);
    s["queue_pairs"] = table<obs::QueuePairEntry>(tables, TableKind::queue_pair, queue_pair);
    s["resources"] = table<obs::ResourceEntry>(tables, TableKind::resource, resource);
    s["regions"] = table<obs::RegionEntry>(tables, TableKind::region, region);
    s["contexts"] = table<obs::ContextEntry>(tables, TableKind::context, context);
    s["paths"] = paths(tables);
    return s;
}

} // namespace rill::tools
