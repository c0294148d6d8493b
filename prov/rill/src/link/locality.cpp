// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/locality.hpp"

#include <hwloc.h>
#include <memory>

namespace rill::link {
namespace {

struct Destroy {
    void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
    void operator()(hwloc_bitmap_s* set) const { hwloc_bitmap_free(set); }
};
using Topology = std::unique_ptr<hwloc_topology, Destroy>;
using Set = std::unique_ptr<hwloc_bitmap_s, Destroy>;

// Processors, nodes and network devices; graphics drivers, which hwloc would load to ask them, take
// longer than all the rest.
Topology load() {
    hwloc_topology_t made = nullptr;
    if (hwloc_topology_init(&made) != 0) return {};
    Topology topology(made);
    for (const char* component : {"opencl", "cuda", "nvml", "rsmi", "levelzero", "gl"})
        hwloc_topology_set_components(made, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component);
    hwloc_topology_set_io_types_filter(made, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    return hwloc_topology_load(made) == 0 ? std::move(topology) : Topology();
}

} // namespace

std::set<std::string> far_devices() {
    std::set<std::string> found;
    const Topology topology = load();
    const Set ours(hwloc_bitmap_alloc());
    if (!topology || !ours ||
        hwloc_get_cpubind(topology.get(), ours.get(), HWLOC_CPUBIND_PROCESS) != 0)
        return found;
    hwloc_obj_t device = nullptr;
    while ((device = hwloc_get_next_osdev(topology.get(), device))) {
        if (device->attr->osdev.type != HWLOC_OBJ_OSDEV_NETWORK || !device->name) continue;
        const hwloc_obj_t at = hwloc_get_non_io_ancestor_obj(topology.get(), device);
        if (at && at->cpuset && !hwloc_bitmap_intersects(at->cpuset, ours.get()))
            found.insert(device->name);
    }
    return found;
}

} // namespace rill::link
