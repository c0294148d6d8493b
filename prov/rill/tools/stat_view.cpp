// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stat_view.hpp"

#include "table.hpp"

#include <cstdint>
#include <cstdio>
#include <sstream>

namespace rill::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string format(const char* pattern, double value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

// Four characters or so, powers of 1000.
std::string scaled(double value) {
    const char* unit = "";
    for (const char* next : {"k", "M", "G"}) {
        if (value < 1000) break;
        value /= 1000;
        unit = next;
    }
    return format(*unit == 0 || value >= 100 ? "%.0f" : "%.1f", value) + unit;
}

std::string percent(const Json& share) {
    return share.is_null() ? "-" : format("%.1f%%", share.get<double>() * 100);
}

// What has come since: a rate when there is something to compare with, else the total.
class Since {
public:
    Since(const Json& now, const Json& before, double seconds)
        : now_(now), before_(before), seconds_(seconds) {}
    double number(const char* name) const {
        const double total = now_.value(name, uint64_t{0});
        if (before_.is_null()) return total;
        return (total - before_.value(name, uint64_t{0})) / seconds_;
    }
    std::string operator[](const char* name) const { return scaled(number(name)); }

private:
    const Json& now_;
    const Json& before_;
    const double seconds_;
};

// The drops that there are, each by its name.
std::string drops(const Json& counters, const Since& since) {
    std::string text;
    for (const auto& [name, value] : counters.items())
        if (name.rfind("drop_", 0) == 0 && since.number(name.c_str()) > 0)
            text += " " + name.substr(5) + " " + since[name.c_str()];
    return text.empty() ? " none" : text;
}

void append_lines(const std::string& text, std::vector<std::string>& out) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        out.push_back("  " + line);
}

void append_traffic(const Json& now, const Json& before, double seconds,
                    std::vector<std::string>& out) {
    const Json& counters = now["counters"];
    const Since c(counters, before.is_null() ? before : before["counters"], seconds);
    const char* per = before.is_null() ? "" : "/s";
    const auto line = [&](const std::string& text) { out.push_back("  " + text); };
    line("sent      packets" + std::string(per) + " " + c["tx_packets"] + "  bytes" + per + " " +
         c["tx_bytes"] + "  by memory " + c["tx_shm_bytes"] + "  resent " + c["tx_retransmits"] +
         "  time-outs " + c["tx_timeouts"] + "  no room " + c["tx_again"]);
    line("received  packets" + std::string(per) + " " + c["rx_packets"] + "  bytes" + per + " " +
         c["rx_bytes"] + "  again " + c["rx_duplicates"] + "  marked " + c["rx_marked"] +
         "  dropped:" + drops(counters, c));
    const double direct = c.number("rx_direct_bytes");
    const double all = direct + c.number("rx_indirect_bytes");
    line("placed    direct packets" + std::string(per) + " " + c["rx_direct_packets"] + "  bytes" +
         per + " " + c["rx_direct_bytes"] + "  indirect packets" + per + " " +
         c["rx_indirect_packets"] + "  bytes" + per + " " + c["rx_indirect_bytes"] +
         "  direct share " + percent(all > 0 ? Json(direct / all) : Json()) + ", of all " +
         percent(now["placement"]["direct_share"]));
}

const Json& same_path(const Json& paths, const Json& wanted) {
    static const Json none;
    for (const Json& p : paths)
        if (p["context"] == wanted["context"] && p["path"] == wanted["path"]) return p;
    return none;
}

void append_paths(const Json& now, const Json& before, double seconds,
                  std::vector<std::string>& out) {
    static const Json none = Json::array();
    double all = 0;
    std::vector<std::pair<const Json*, Since>> paths;
    for (const Json& p : now["paths"]) {
        const Json& old = same_path(before.is_null() ? none : before["paths"], p);
        paths.emplace_back(&p, Since(p, old, seconds));
        all += paths.back().second.number("tx_bytes");
    }
    if (paths.empty()) return;
    const std::string per = before.is_null() ? "" : "/s";
    std::vector<std::vector<std::string>> rows = {
        {"path to", "no", "share", "sent" + per, "bytes" + per, "resent", "lost", "marks", "rtt us",
         "min", "penalty", "received" + per, "bytes" + per}};
    for (const auto& [p, since] : paths) {
        const double bytes = since.number("tx_bytes");
        rows.push_back({cell_of((*p)["peer"]), cell_of((*p)["path"]),
                        percent(all > 0 ? Json(bytes / all) : Json()), since["tx_packets"],
                        since["tx_bytes"], since["tx_retransmits"], since["losses"], since["marks"],
                        format("%.1f", (*p)["rtt_us"]), format("%.1f", (*p)["rtt_min_us"]),
                        cell_of((*p)["penalty"]), since["rx_packets"], since["rx_bytes"]});
    }
    append_lines(table_of(rows), out);
}

void append_contexts(const Json& now, std::vector<std::string>& out) {
    if (now["contexts"].empty()) return;
    std::vector<std::vector<std::string>> rows = {
        {"context with", "state", "opened by", "window", "in flight", "credit", "paths"}};
    for (const Json& c : now["contexts"])
        rows.push_back({cell_of(c["peer"] == "-" ? c["endpoint"] : c["peer"]), cell_of(c["state"]),
                        cell_of(c["opened_by"]), scaled(c["window_bytes"]),
                        scaled(c["in_flight_bytes"]), scaled(c["credit_bytes"]),
                        cell_of(c["paths"])});
    append_lines(table_of(rows), out);
}

} // namespace

std::vector<std::string> view_of(const Json& now, const Json& before, double seconds) {
    std::vector<std::string> out;
    const auto text = [&](const char* name) { return cell_of(now[name]); };
    out.push_back(text("device") + " " + text("program") + "  " + text("type") + " on " +
                  text("interface") + ", " + text("address"));
    append_traffic(now, before, seconds, out);
    append_contexts(now, out);
    append_paths(now, before, seconds, out);
    return out;
}

} // namespace rill::tools
