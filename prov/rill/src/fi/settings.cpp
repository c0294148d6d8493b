// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/settings.hpp"

#include "fi/device_files.hpp"
#include "fi/log.hpp"

#include <rdma/fi_errno.h>

#include <charconv>
#include <cstdlib>

namespace rill::fi {

namespace {

using obs::kTunables;
using obs::TunableId;

fi_param_type parameter_type(obs::TunableType type) {
    switch (type) {
    case obs::TunableType::text:
    case obs::TunableType::choice:
    case obs::TunableType::bytes: return FI_PARAM_STRING; // a size may have a suffix
    case obs::TunableType::number: return FI_PARAM_INT;
    case obs::TunableType::flag: return FI_PARAM_BOOL;
    }
    return FI_PARAM_STRING;
}

bool read_port(std::string_view word, uint16_t& out) {
    const char* end = word.data() + word.size();
    const auto [rest, failure] = std::from_chars(word.data(), end, out);
    return failure == std::errc() && rest == end && out != 0;
}

// "5000-5015", or one port alone.
bool read_ports(std::string_view word, link::PortRange& out) {
    if (word.empty()) return true;
    const size_t dash = word.find('-');
    link::PortRange range;
    if (!read_port(word.substr(0, dash), range.low)) return false;
    if (dash == std::string_view::npos)
        range.high = range.low;
    else if (!read_port(word.substr(dash + 1), range.high))
        return false;
    if (range.high < range.low) return false;
    out = range;
    return true;
}

int refuse(TunableId id, const std::string& word, const std::string& why) {
    warn(FI_LOG_CORE,
         obs::environment_name(kTunables[static_cast<size_t>(id)]) + "=\"" + word + "\": " + why);
    return -FI_EINVAL;
}

int read_texts(Settings& s) {
    const std::string& ports = s.values.text(TunableId::port_range);
    if (!read_ports(ports, s.ports))
        return refuse(TunableId::port_range, ports, "expected first-last, from 1 to 65535");
    const std::string& impair = s.values.text(TunableId::impair);
    std::string error;
    if (!link::parse_impairment(impair, s.impairment, error))
        return refuse(TunableId::impair, impair, error);
    const std::string& device = s.values.text(TunableId::device);
    if (!find_device_type(device, s.device, error)) return refuse(TunableId::device, device, error);
    const int64_t packet = s.number(TunableId::max_packet);
    if (packet != 0 && packet < 576)
        return refuse(TunableId::max_packet, s.values.text(TunableId::max_packet),
                      "expected 0, or a number of bytes from 576 to 65472");
    return 0;
}

} // namespace

void define_tunables() {
    for (const obs::Tunable& t : kTunables)
        fi_param_define(&provider, t.name, parameter_type(t.type), "%s", t.help);
}

int read_settings(Settings& out) {
    Settings read;
    for (size_t i = 0; i < obs::kTunableCount; ++i) {
        std::string error;
        const char* word = std::getenv(obs::environment_name(kTunables[i]).c_str());
        if (!obs::read_tunable(kTunables[i], word, read.values.at(i), error)) {
            warn(FI_LOG_CORE, error);
            return -FI_EINVAL;
        }
    }
    if (const int failed = read_texts(read)) return failed;
    out = read;
    return 0;
}

} // namespace rill::fi
