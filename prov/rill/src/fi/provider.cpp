// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The module's only exported symbol.
#include "fi/common.hpp"
#include "fi/fabric.hpp"
#include "fi/fork_guard.hpp"
#include "fi/getinfo.hpp"
#include "fi/log.hpp"
#include "fi/settings.hpp"

namespace rill::fi {

namespace {

int getinfo_entry(uint32_t version, const char* node, const char* service, uint64_t flags,
                  const fi_info* hints, fi_info** info) {
    return guarded([&] { return getinfo(version, node, service, flags, hints, info); });
}

int fabric_entry(fi_fabric_attr* attr, fid_fabric** fabric, void* context) {
    return guarded([&] { return Fabric::open(*attr, fabric, context); });
}

// Nothing is held that outlives the domains.
void cleanup_entry() {}

} // namespace

constinit fi_provider provider = {
    .version = FI_VERSION(0, 1),
    .fi_version = 0, // set below
    .context = {},
    .name = "rill",
    .getinfo = getinfo_entry,
    .fabric = fabric_entry,
    .cleanup = cleanup_entry,
};

} // namespace rill::fi

extern "C" __attribute__((visibility("default"))) fi_provider* fi_prov_ini(void) {
    using namespace rill::fi;
    // Called with libfabric's initialization lock held: nothing here may lead to fi_ini() again.
    // fi_version() and fi_param_define() take no lock, in 1.17 as in 2.x.
    // The version is the running library's, not that of our headers: a newer libfabric skips a
    // provider that claims an older version than the program asks for.
    provider.fi_version = fi_version();
    ProcessMark::install();
    rill::fi::guarded([] {
        define_tunables();
        return 0;
    });
    return &provider;
}
