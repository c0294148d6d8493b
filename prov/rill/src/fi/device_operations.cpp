// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/device_operations.hpp"

#include "fi/dedup.hpp"
#include "fi/domain.hpp"
#include "fi/errors.hpp"
#include "nic/admin.hpp"
#include "nic/bus.hpp"
#include "nic/device_type.hpp"
#include "nic/registers.hpp"
#include "obs/counters.hpp"

#include <rdma/fi_ext_rill.h>

#include <algorithm>
#include <string_view>

namespace rill::fi {

namespace {

using obs::Counter;

// Runs `look` on an open domain's engine, owned.
template <class F>
int looking(fid_domain* handle, const void* out, F&& look) {
    return guarded([&] {
        if (!out || !Domain::is_open(handle)) return -FI_EINVAL;
        Domain& domain = object_of<Domain>(handle);
        if (!domain.is_ours()) return -FI_EOPBADSTATE;
        Owned own(domain.engine());
        return look(domain.engine());
    });
}

int config_read(fid_domain* handle, uint16_t function, uint16_t offset, uint8_t width,
                uint32_t* value) {
    return looking(handle, value, [&](Engine& engine) {
        uint32_t read = 0;
        const Status status =
            engine.bus().config().access({function, offset, width, false, 0}, Engine::now(), read);
        if (status == Status::not_found) return -FI_ENODEV;
        if (is_ok(status)) *value = read;
        return result_of(status);
    });
}

int register_read(fid_domain* handle, uint16_t function, uint32_t offset, uint32_t* value) {
    return looking(handle, value, [&](Engine& engine) {
        const nic::FunctionPort* port = engine.bus().port(function);
        if (!port) return -FI_ENODEV;
        if (offset % 4 != 0 || offset >= nic::kBar0Bytes) return -FI_EINVAL;
        *value = port->read(offset);
        return 0;
    });
}

struct Feature {
    std::string_view name;
    uint64_t (*value)(Engine& engine);
};

template <uint32_t Bit>
uint64_t negotiated(Engine& engine) {
    return (engine.module().driver().features() & Bit) != 0;
}

uint64_t functions(Engine& engine) {
    uint16_t n = 0;
    while (engine.bus().port(n))
        ++n;
    return n;
}

constexpr Feature kFeatures[] = {
    {"device_memory", negotiated<nic::kFeatureDeviceMemory>},
    {"statistics", negotiated<nic::kFeatureStatistics>},
    {"async_events", negotiated<nic::kFeatureAsyncEvents>},
    {"moderation", negotiated<nic::kFeatureModeration>},
    {"dedup", negotiated<nic::kFeatureDedup>},
    {"functions", functions},
    {"virtual_functions_max",
     [](Engine& e) { return uint64_t{e.device_type().virtual_functions()}; }},
    {"queue_pairs_max", [](Engine& e) { return uint64_t{e.device_type().queue_pairs_max}; }},
    {"address_handles_max",
     [](Engine& e) { return uint64_t{e.device_type().address_handles_max}; }},
    {"device_memory_bytes",
     [](Engine& e) { return uint64_t{e.device_type().device_memory_bytes}; }},
};

int query(fid_domain* handle, const char* feature, uint64_t* value) {
    return looking(handle, feature ? value : nullptr, [&](Engine& engine) {
        for (const Feature& f : kFeatures) {
            if (f.name != feature) continue;
            *value = f.value(engine);
            return 0;
        }
        return -FI_ENOENT;
    });
}

int placement(fid_domain* handle, fi_rill_placement* out) {
    return looking(handle, out, [&](Engine& engine) {
        if (out->size < offsetof(fi_rill_placement, direct_bytes)) return -FI_EINVAL;
        const obs::Counters& c = engine.counters();
        fi_rill_placement read;
        read.size = std::min(out->size, sizeof read);
        read.direct_packets = c.get(Counter::rx_direct_packets);
        read.direct_bytes = c.get(Counter::rx_direct_bytes);
        read.indirect_packets = c.get(Counter::rx_indirect_packets);
        read.indirect_bytes = c.get(Counter::rx_indirect_bytes);
        read.refused_bytes = c.get(Counter::rx_refused_bytes);
        std::memcpy(out, &read, read.size);
        return 0;
    });
}

int counter(fid_domain* handle, const char* name, uint64_t* value) {
    return looking(handle, name ? value : nullptr, [&](Engine& engine) {
        for (size_t i = 0; i < obs::kCounters; ++i) {
            if (std::string_view(obs::kCounterTable[i].name) != name) continue;
            *value = engine.counters().get(static_cast<Counter>(i));
            return 0;
        }
        return -FI_ENOENT;
    });
}

fi_rill_ops_device device_ops = {
    .size = sizeof(fi_rill_ops_device),
    .config_read = config_read,
    .register_read = register_read,
    .query = query,
    .placement = placement,
    .counter = counter,
};

} // namespace

int open_device_operations(const char* name, uint64_t flags, void** out) {
    if (!name || !out) return -FI_EINVAL;
    if (flags) return -FI_EBADFLAGS;
    if (std::string_view(name) == FI_RILL_DEVICE_OPS_1)
        *out = &device_ops;
    else if (std::string_view(name) == FI_RILL_DEDUP_OPS_1)
        *out = &dedup_ops;
    else
        return -FI_ENOSYS;
    return 0;
}

} // namespace rill::fi
