// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/bus.hpp"
#include "nic/config_image.hpp"
#include "util/status.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <vector>

namespace rill::nic {

// What answers for configuration spaces that are emulated, of several functions at once.
class ConfigEmulation {
public:
    virtual ~ConfigEmulation() = default;
    virtual bool has(uint16_t function) const = 0;
    // `value` is written on success only. Any failure fails the access and nothing else.
    [[nodiscard]] virtual Status serve(const ConfigAccess& access, uint32_t& value) = 0;
};

// The configuration spaces of a device: each function's is either native, plain bytes that the
// hardware has, or emulated. Every access is logged before it is served and again with its outcome;
// a function that is accessed abnormally often is refused.
class ConfigSpaces final : public ConfigPort {
public:
    // Enough to read 4 KiB by the byte at once, and twenty times as much in a second; a loop that does
    // nothing else exceeds it.
    static constexpr uint32_t kBurst = 4096;
    static constexpr Duration kRefill = std::chrono::microseconds(12); // for one more access
    static constexpr size_t kLogEntries = 1024;                        // the oldest are overwritten

    enum class Phase : uint8_t { requested, served, failed };
    struct LogEntry {
        uint64_t number = 0; // of the access, from 1 on
        Instant at{};
        ConfigAccess access;
        Phase phase{};
        bool emulated = false;
        Status status = Status::ok; // failed
        uint32_t value = 0;         // read, served
    };

    explicit ConfigSpaces(ConfigEmulation& emulation) : emulation_(emulation) {}

    // A function of the hardware; while it is native its accesses never reach the emulation.
    void add_native(uint16_t function, const ConfigImage& image);
    void set_emulated(uint16_t function, bool on);
    bool is_emulated(uint16_t function) const;

    [[nodiscard]] Status access(const ConfigAccess& access, Instant now, uint32_t& value) override;

    // The last accesses, oldest first.
    template <class F>
    void for_each_log_entry(F&& f) const {
        for (size_t i = 0; i < log_.size(); ++i)
            f(log_[(next_log_ + i) % log_.size()]);
    }
    uint64_t accesses() const { return accesses_; }
    uint64_t refused() const { return refused_; }

private:
    struct Slot {
        uint16_t function = 0;
        bool has_native = false;
        bool emulated = true;
        ConfigImage native;
        uint32_t tokens = kBurst;
        Instant refilled{};
    };
    Slot& slot(uint16_t function);
    const Slot* find(uint16_t function) const;
    bool take_token(Slot& s, Instant now);
    Status serve(Slot& s, const ConfigAccess& access, Instant now, uint32_t& value);
    void log(const LogEntry& e);

    ConfigEmulation& emulation_;
    std::vector<Slot> slots_;
    std::vector<LogEntry> log_;
    size_t next_log_ = 0;
    uint64_t accesses_ = 0;
    uint64_t refused_ = 0;
};

} // namespace rill::nic
