// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/log.hpp"

#include <cerrno>
#include <cstddef>
#include <new>

namespace rill::fi {

namespace {

fi_log_level fabric_level(LogLevel level) {
    switch (level) {
    case LogLevel::warn: return FI_LOG_WARN;
    case LogLevel::info: return FI_LOG_INFO;
    case LogLevel::debug: return FI_LOG_DEBUG;
    }
    return FI_LOG_DEBUG;
}

void write_link_text(void*, link::Level level, const char* text) {
    if (level == link::Level::info)
        FI_INFO(&provider, FI_LOG_DOMAIN, "%s\n", text);
    else
        FI_WARN(&provider, FI_LOG_DOMAIN, "%s\n", text);
}

} // namespace

bool FabricLog::enabled(LogLevel level) const {
    return fi_log_enabled(&provider, fabric_level(level), FI_LOG_EP_DATA);
}

void FabricLog::write(LogLevel level, const char* text) {
    fi_log(&provider, fabric_level(level), FI_LOG_EP_DATA, "rill", 0, "%s\n", text);
}

FabricLog& fabric_log() {
    // Never destroyed: static destructors run before libfabric lets go of the provider.
    alignas(FabricLog) static std::byte storage[sizeof(FabricLog)];
    static FabricLog* const log = new (storage) FabricLog;
    return *log;
}

link::LogSink link_log() {
    return {write_link_text, nullptr};
}

void warn(fi_log_subsys where, const std::string& text) {
    FI_WARN(&provider, where, "%s\n", text.c_str());
}

void inform(fi_log_subsys where, const std::string& text) {
    FI_INFO(&provider, where, "%s\n", text.c_str());
}

} // namespace rill::fi
