// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>

namespace rill::link {

enum class Level : uint8_t { error, warning, info };

// Where a link says what an administrator should know. Called from the owner's thread only.
struct LogSink {
    void (*write)(void* context, Level level, const char* text) = nullptr;
    void* context = nullptr;

    void operator()(Level level, const std::string& text) const {
        if (write) write(context, level, text.c_str());
    }
};

} // namespace rill::link
