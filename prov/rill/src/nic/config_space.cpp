// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/config_space.hpp"

#include <algorithm>

namespace rill::nic {

ConfigSpaces::Slot& ConfigSpaces::slot(uint16_t function) {
    if (const Slot* s = find(function)) return const_cast<Slot&>(*s);
    Slot& s = slots_.emplace_back();
    s.function = function;
    return s;
}

const ConfigSpaces::Slot* ConfigSpaces::find(uint16_t function) const {
    const auto it = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& s) { return s.function == function; });
    return it == slots_.end() ? nullptr : &*it;
}

void ConfigSpaces::add_native(uint16_t function, const ConfigImage& image) {
    Slot& s = slot(function);
    s.has_native = true;
    s.emulated = false;
    s.native = image;
}

void ConfigSpaces::set_emulated(uint16_t function, bool on) {
    slot(function).emulated = on;
}

bool ConfigSpaces::is_emulated(uint16_t function) const {
    const Slot* s = find(function);
    return s ? s->emulated : emulation_.has(function);
}

bool ConfigSpaces::take_token(Slot& s, Instant now) {
    const auto earned = (now - s.refilled) / kRefill;
    if (earned >= kBurst) {
        s.tokens = kBurst;
        s.refilled = now;
    } else if (earned > 0) {
        s.tokens = std::min<uint32_t>(kBurst, s.tokens + static_cast<uint32_t>(earned));
        s.refilled += earned * kRefill;
    }
    if (s.tokens == 0) return false;
    --s.tokens;
    return true;
}

Status ConfigSpaces::access(const ConfigAccess& access, Instant now, uint32_t& value) {
    LogEntry e{++accesses_, now, access, Phase::requested, is_emulated(access.function), {}, 0};
    log(e);
    uint32_t got = UINT32_MAX >> (32 - 8 * std::clamp<uint32_t>(access.width, 1, 4));
    // Bookkeeping only for functions that are there: nobody's wrong numbers take memory.
    const bool exists = find(access.function) || emulation_.has(access.function);
    e.status = exists ? serve(slot(access.function), access, now, got) : Status::not_found;
    e.phase = is_ok(e.status) ? Phase::served : Phase::failed;
    e.value = access.write ? access.value : got;
    log(e);
    if (!access.write) value = got;
    return e.status;
}

Status ConfigSpaces::serve(Slot& s, const ConfigAccess& access, Instant now, uint32_t& value) {
    const bool whole = access.width == 1 || access.width == 2 || access.width == 4;
    if (!whole || access.offset % access.width != 0 ||
        access.offset + access.width > pci::kConfigBytes)
        return Status::invalid;
    if (!take_token(s, now)) {
        ++refused_;
        return Status::again;
    }
    if (s.emulated)
        return emulation_.has(s.function) ? emulation_.serve(access, value) : Status::not_found;
    if (!s.has_native) return Status::not_found;
    if (access.write)
        s.native.write(access.offset, access.width, access.value);
    else
        value = s.native.read(access.offset, access.width);
    return Status::ok;
}

void ConfigSpaces::log(const LogEntry& e) {
    if (log_.size() < kLogEntries) {
        log_.push_back(e);
        return;
    }
    log_[next_log_] = e;
    next_log_ = (next_log_ + 1) % kLogEntries;
}

} // namespace rill::nic
