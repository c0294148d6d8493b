// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/export_reader.hpp"

#include <nlohmann/json.hpp>

namespace rill::tools {

// What a device exported, by name: the form in which rill_stat --json and rillctl show it.
//
//   device, pid, program, uid, type, interface, address, age_s
//   counters      {name: value}
//   placement     {direct_packets, ..., direct_share}: of all payload bytes; null: none came
//   usage         {bar2_bytes, ...}
//   functions     [{number, features, ...}]
//   registers     [{function, register, offset, value, meaning}]
//   queue_pairs, resources, regions, contexts   [{...}]
//   paths         [{context, peer, path, share, ...}]: share of the bytes sent to all peers
nlohmann::ordered_json state_of(const obs::ExportReader& device,
                                const obs::ExportReader::Tables& tables);

} // namespace rill::tools
