// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>

namespace rill::obs {

// A process, not to be taken for a later one with its number or for one of another container.
struct ProcessId {
    int64_t pid = 0;
    uint64_t start_ticks = 0;   // since boot (proc(5), stat, field 22)
    uint64_t pid_namespace = 0; // inode

    bool operator==(const ProcessId&) const = default;
    static ProcessId current();
};

// False only if it is known to have ended: a process of another namespace cannot be looked at.
bool may_live(const ProcessId& process);

std::string program_of_current();

} // namespace rill::obs
