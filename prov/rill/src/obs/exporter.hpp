// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/counters.hpp"
#include "obs/export_layout.hpp"
#include "obs/snapshot.hpp"
#include "util/fd.hpp"
#include "util/status.hpp"
#include "util/time.hpp"

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rill::obs {

// The writing side of export_layout.hpp: one device of this process. Its counters lie in the file
// itself, so exporting them costs nothing; everything else is written when a reader wants it.
//
// A reader that finds nobody passing writes a byte to the bell, a FIFO beside the file.
class Exporter {
public:
    struct Identity {
        std::string device;    // type
        std::string interface; // name
    };
    // Makes a file in the first of the directories that takes it. Null, with an error that says why
    // for each, when none does. The directory is made if need be; it must belong to this user and be
    // closed to others.
    static std::unique_ptr<Exporter> open(const std::vector<std::string>& directories,
                                          const Identity& identity, std::string& error);
    ~Exporter(); // the file goes
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;

    // From now on readers take notice of the file.
    void announce(const AddressWords& address);
    // In a forked child: the file is the parent's.
    void forget() { path_.clear(); }

    Counters& counters() { return *counters_; }
    const std::string& path() const { return path_; }

    // Below: for the owner of the device.

    // Whether a reader has asked since the last answer.
    bool wanted() const {
        return std::atomic_ref<uint32_t>(control_->wanted).load(std::memory_order_relaxed) !=
               answered_;
    }
    // Whether a reader wants something done that was not answered yet, and what.
    bool commanded() const { return command().number != commands_answered_; }
    Command command() const {
        return std::atomic_ref<Command>(control_->command).load(std::memory_order_acquire);
    }
    void answer(const Command& command, Status status);
    // Where the tables are gathered.
    Snapshot& fresh_snapshot() {
        snapshot_.clear();
        return snapshot_;
    }
    // Lays them out for readers.
    void publish(Instant now);
    int bell() const { return bell_.get(); }
    void clear_bell();

private:
    Exporter() = default;
    bool make(const std::string& directory, std::string& error);
    bool fill(const Identity& identity);
    bool reserve(size_t bytes);

    std::string path_; // empty: not ours to remove
    Fd file_;
    Fd bell_;
    std::byte* fixed_ = nullptr; // up to kSnapshotAt
    Control* control_ = nullptr;
    Counters* counters_ = nullptr;
    std::span<std::byte> area_; // from kSnapshotAt on
    uint32_t answered_ = 0;
    uint16_t commands_answered_ = 0;
    Snapshot snapshot_;
};

} // namespace rill::obs
