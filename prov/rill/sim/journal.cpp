// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/journal.hpp"

#include <cstdarg>
#include <cstdio>

namespace rill::sim {
namespace {

// The first failures tell the story, the rest are its consequences.
constexpr size_t kFailuresKept = 8;

} // namespace

void Journal::write(const char* kind, const char* text) {
    std::fprintf(stderr, "%14.3f us %s%s\n",
                 static_cast<double>(clock_.now().time_since_epoch().count()) / 1000.0, kind, text);
}

void Journal::note(const char* format, ...) {
    if (!verbose_) return;
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write("", text);
}

void Journal::fail(const char* format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (++failed_ <= kFailuresKept) failures_.emplace_back(text);
    if (verbose_) write("FAILED: ", text);
}

} // namespace rill::sim
