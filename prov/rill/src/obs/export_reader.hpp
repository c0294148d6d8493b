// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/export_layout.hpp"
#include "obs/process.hpp"
#include "util/fd.hpp"
#include "util/status.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rill::obs {

inline constexpr char kBellSuffix[] = ".bell";

// The reading side of export_layout.hpp. A device goes on while it is read.
class ExportReader {
public:
    // False, with an error that names the file: not there, not of this user, no export, one that is
    // being made, or one of another version.
    [[nodiscard]] bool open(const std::string& path, std::string& error);

    const Header& header() const { return header_; }
    ProcessId process() const { return {header_.pid, header_.start_ticks, header_.pid_namespace}; }
    // PID-N, the name of the file.
    const std::string& name() const { return name_; }

    // Each value is whole; the set is not of one instant. Empty: the file is damaged.
    std::vector<std::pair<std::string, uint64_t>> counters() const;

    // Asks for a snapshot. Its sequence number will be at least what is returned; 0: nobody can be
    // asked (the file is read-only to us).
    uint64_t request();
    // Has the device's owner do something; `command.number` becomes what answered() takes. busy:
    // another reader's command is not answered yet. bad_access: the file is read-only to us.
    [[nodiscard]] Status give(Command& command);
    // True when it has been carried out, with what became of it.
    bool answered(const Command& command, Status& status) const;
    // Takes back a command that is not answered. False: it just was.
    bool take_back(const Command& command);
    struct Tables {
        uint64_t sequence = 0; // even; 0: none was ever written
        int64_t at_ns = 0;     // CLOCK_MONOTONIC
        uint64_t lost = 0;
        std::vector<std::byte> bytes;
    };
    // False while it is being written: try again.
    [[nodiscard]] bool read(Tables& out) const;

private:
    bool read_at(size_t at, void* to, size_t bytes) const;
    template <class F>
    bool with_control(F&& f) const;
    void ring() const;

    std::string path_, name_;
    Fd file_;
    Header header_{};
};

// The exports in a directory, in the order of their names; files of processes that have ended are
// removed first.
std::vector<std::string> list_exports(const std::string& directory);
// Only if they are of this user and known to be dead.
void remove_stale(const std::string& directory);

} // namespace rill::obs
