// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <set>
#include <string>

namespace rill::link {

// The network devices that hang on other NUMA nodes than the processors that this process may run on,
// as hwloc knows them. Devices of which nothing is known, virtual ones above all, are not among them.
std::set<std::string> far_devices();

} // namespace rill::link
