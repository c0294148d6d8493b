// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Prints the run-time parameters as the manual page lists them (Markdown for pandoc), from the
// table that the provider reads.
#include "obs/tunables.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace {

using rill::obs::Tunable;
using rill::obs::TunableType;

// 65536 -> "64k": as short as a number of bytes can be written.
std::string bytes_text(int64_t bytes) {
    const char* suffix = "";
    for (const char* next : {"k", "m", "g"}) {
        if (bytes == 0 || bytes % 1024 != 0) break;
        bytes /= 1024;
        suffix = next;
    }
    return std::to_string(bytes) + suffix;
}

std::string range_text(const Tunable& t) {
    const bool bytes = t.type == TunableType::bytes;
    const auto text = [&](int64_t n) { return bytes ? bytes_text(n) : std::to_string(n); };
    return text(t.low) + " to " + text(t.high);
}

// What the value may be, and what it is by default.
std::string domain_text(const Tunable& t) {
    const std::string fallback = t.fallback_or_words;
    switch (t.type) {
    case TunableType::text: return fallback.empty() ? "text" : "text, default " + fallback;
    case TunableType::number: return range_text(t) + ", default " + fallback;
    case TunableType::bytes: return "bytes, " + range_text(t) + ", default " + fallback;
    case TunableType::flag: return "0 or 1, default " + fallback;
    case TunableType::choice: {
        std::string words = fallback;
        for (size_t at = 0; (at = words.find(' ', at)) != std::string::npos; at += 4)
            words.replace(at, 1, " or ");
        return words + ", default " + fallback.substr(0, fallback.find(' '));
    }
    }
    return {};
}

// Signs that mean something to pandoc stand for themselves.
std::string plain(std::string_view help) {
    std::string text;
    for (const char c : help) {
        if (std::string_view("*_`<>[]\\").find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

} // namespace

int main() {
    for (const Tunable& t : rill::obs::kTunables)
        std::printf("*%s* (%s)\n:   %s\n\n", rill::obs::environment_name(t).c_str(),
                    domain_text(t).c_str(), plain(t.help).c_str());
    return std::fflush(stdout) == 0 ? 0 : 1;
}
