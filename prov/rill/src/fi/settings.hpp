// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/impair.hpp"
#include "link/udp_socket.hpp"
#include "nic/device_type.hpp"
#include "obs/tunables.hpp"
#include "util/time.hpp"

#include <string>

namespace rill::fi {

// The tunables as this process has them, read anew for every domain: a test may change them between
// two.
struct Settings {
    obs::TunableValues values;
    link::PortRange ports;
    link::Impairment impairment;
    nic::DeviceType device;

    int64_t number(obs::TunableId id) const { return values.number(id); }
    const std::string& interface() const { return values.text(obs::TunableId::iface); }
};

// Tells libfabric of every tunable, for `fi_info -e`.
void define_tunables();

// Reads the environment. -FI_EINVAL, with a warning that names variable and word, on any that is
// not allowed.
[[nodiscard]] int read_settings(Settings& out);

} // namespace rill::fi
