// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/describe.hpp"

#include "nic/registers.hpp"
#include "transport/context.hpp"

#include <algorithm>
#include <vector>

namespace rill::nic {
namespace {

using obs::TableKind;
using transport::Context;

template <class Entry>
void begin(obs::Snapshot& out, TableKind kind) {
    out.begin(kind, sizeof(Entry));
}

void add_device(Adapter& adapter, Device& device, obs::Snapshot& out) {
    const Device::Usage usage = device.usage();
    obs::DeviceEntry e{};
    e.bar2_bytes = adapter.memory().bytes();
    e.bar2_free = adapter.memory().bytes_free();
    e.bar2_longest_free = adapter.memory().longest_free();
    e.completions = device.completions().size();
    e.completions_max = device.completions().capacity();
    e.sends = usage.works;
    e.inbound = usage.inbound;
    e.envelopes = usage.envelopes;
    e.bounce_bytes = usage.bounce_bytes;
    e.fetches = usage.fetches;
    e.config_accesses = adapter.config_spaces().accesses();
    e.config_refused = adapter.config_spaces().refused();
    begin<obs::DeviceEntry>(out, TableKind::device);
    out.add(e);
}

void add_functions(Adapter& adapter, obs::Snapshot& out) {
    begin<obs::FunctionEntry>(out, TableKind::function);
    for (uint16_t n = 0; n < adapter.functions(); ++n) {
        const Function& f = *adapter.function(n);
        obs::FunctionEntry e{};
        e.number = n;
        e.features = f.features();
        e.queue_pairs = static_cast<uint32_t>(f.queue_pairs());
        e.address_handles = static_cast<uint32_t>(f.address_handles());
        e.commands = f.commands();
        const auto& bytes = adapter.config_image(n).bytes;
        static_assert(sizeof bytes == sizeof e.config);
        std::copy(bytes.begin(), bytes.end(), e.config);
        out.add(e);
    }
    begin<obs::RegisterEntry>(out, TableKind::reg);
    for (uint16_t n = 0; n < adapter.functions(); ++n)
        for (const RegisterInfo& r : kRegisterTable)
            out.add(obs::RegisterEntry{n, r.offset, adapter.function(n)->read(r.offset)});
}

void add_queue_pairs(Device& device, obs::Snapshot& out) {
    begin<obs::QueuePairEntry>(out, TableKind::queue_pair);
    device.for_each_queue_pair([&](QueuePair& qp) {
        obs::QueuePairEntry e{};
        e.number = qp.number;
        e.shared = qp.shared ? qp.shared->number : kNoQueuePair;
        e.address = words_of(qp.address);
        e.sends = qp.send_head;
        e.receives = qp.receive_head;
        e.tagged = qp.table(true).size();
        e.untagged = qp.table(false).size();
        out.add(e);
    });
}

void add_memory(Adapter& adapter, Device& device, obs::Snapshot& out) {
    begin<obs::ResourceEntry>(out, TableKind::resource);
    adapter.memory().for_each([&](uint16_t owner, uint32_t offset, uint32_t bytes) {
        out.add(obs::ResourceEntry{owner, bytes, offset});
    });
    begin<obs::RegionEntry>(out, TableKind::region);
    device.regions().for_each([&](uint64_t key, const MemoryRegion& r) {
        const auto pieces = r.pieces ? static_cast<uint32_t>(r.pieces->size()) : 0;
        out.add(obs::RegionEntry{key, r.base, r.length, r.access, pieces});
    });
}

int64_t ns(Duration d) {
    return d.count();
}

obs::PathEntry path_entry(Context& c, size_t i, Instant now) {
    obs::PathEntry e{};
    e.context = c.id();
    e.number = static_cast<uint32_t>(i);
    if (i < c.tx_paths()) {
        const transport::Path& p = c.tx_path(i);
        e.tx_packets = p.tx_packets;
        e.tx_bytes = p.tx_bytes;
        e.tx_retransmits = p.tx_retransmits;
        e.losses = p.losses;
        e.marks = p.marks();
        e.penalty = p.penalty(now);
        if (p.rtt.valid()) {
            e.rtt_ns = ns(p.rtt.srtt());
            e.rtt_min_ns = ns(p.rtt.min_rtt());
            e.rtt_var_ns = ns(p.rtt.rttvar());
        }
    }
    if (i < c.rx_paths()) {
        const transport::RxPath& p = c.rx_path(i);
        e.rx_packets = p.rx_packets;
        e.rx_bytes = p.rx_bytes;
        e.rx_marks = p.marks;
    }
    return e;
}

void add_contexts(Device& device, Instant now, obs::Snapshot& out) {
    std::vector<obs::PathEntry> paths;
    begin<obs::ContextEntry>(out, TableKind::context);
    device.transport().for_each_context([&](Context& c) {
        obs::ContextEntry e{};
        e.id = c.id();
        e.state = static_cast<uint32_t>(c.state());
        e.opened_by_us = c.opened_by_us();
        e.credit = c.credit();
        e.endpoint = words_of(c.endpoint_address());
        e.data = words_of(c.data_address());
        e.window_bytes = c.congestion_window_bytes();
        e.in_flight_bytes = c.in_flight_bytes();
        e.tx_paths = static_cast<uint32_t>(c.tx_paths());
        e.rx_paths = static_cast<uint32_t>(c.rx_paths());
        out.add(e);
        for (size_t i = 0; i < std::max(c.tx_paths(), c.rx_paths()); ++i)
            paths.push_back(path_entry(c, i, now));
    });
    begin<obs::PathEntry>(out, TableKind::path);
    for (const obs::PathEntry& e : paths)
        out.add(e);
}

} // namespace

void describe(Adapter& adapter, Device& device, Instant now, obs::Snapshot& out) {
    add_device(adapter, device, out);
    add_functions(adapter, out);
    add_queue_pairs(device, out);
    add_memory(adapter, device, out);
    add_contexts(device, now, out);
}

} // namespace rill::nic
