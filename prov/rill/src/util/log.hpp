// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdarg>
#include <cstdio>

namespace rill {

enum class LogLevel { warn, info, debug };

// Where the rooms below `fi` write: `fi` passes libfabric's log, tests and the simulator their own.
class Log {
public:
    virtual ~Log() = default;
    virtual bool enabled(LogLevel level) const = 0;
    virtual void write(LogLevel level, const char* text) = 0;

    [[gnu::format(printf, 3, 4)]] void print(LogLevel level, const char* format, ...) {
        if (!enabled(level)) return;
        char text[512];
        va_list args;
        va_start(args, format);
        std::vsnprintf(text, sizeof text, format, args);
        va_end(args);
        write(level, text);
    }
};

} // namespace rill
