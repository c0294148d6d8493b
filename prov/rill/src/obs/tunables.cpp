// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "obs/tunables.hpp"

#include <cctype>
#include <charconv>

namespace rill::obs {

namespace {

// The n-th word of a list separated by blanks; empty behind the end.
std::string_view word_of(std::string_view list, size_t n) {
    for (; !list.empty(); --n) {
        const std::string_view word = list.substr(0, list.find(' '));
        if (n == 0) return word;
        list.remove_prefix(word.size() == list.size() ? word.size() : word.size() + 1);
    }
    return {};
}

// Powers of 1024 that a suffix stands for; -1: no such suffix.
int suffix_power(std::string_view suffix) {
    if (suffix.empty()) return 0;
    if (suffix.size() > 1) return -1;
    switch (std::tolower(static_cast<unsigned char>(suffix[0]))) {
    case 'k': return 1;
    case 'm': return 2;
    case 'g': return 3;
    }
    return -1;
}

bool read_integer(std::string_view word, bool with_suffix, int64_t& out) {
    const char* end = word.data() + word.size();
    int64_t value = 0;
    const auto [rest, failure] = std::from_chars(word.data(), end, value);
    if (failure != std::errc() || rest == word.data()) return false;
    const std::string_view suffix(rest, static_cast<size_t>(end - rest));
    const int power = with_suffix ? suffix_power(suffix) : suffix.empty() ? 0 : -1;
    if (power < 0) return false;
    for (int i = 0; i < power; ++i)
        if (__builtin_mul_overflow(value, int64_t{1024}, &value)) return false;
    out = value;
    return true;
}

bool read_flag(std::string_view word, int64_t& out) {
    for (size_t n = 0; n < 8; ++n) {
        if (word != word_of("0 1 no yes off on false true", n)) continue;
        out = static_cast<int64_t>(n % 2);
        return true;
    }
    return false;
}

bool read_choice(std::string_view words, std::string_view word, int64_t& out) {
    for (size_t n = 0; !word_of(words, n).empty(); ++n) {
        if (word != word_of(words, n)) continue;
        out = static_cast<int64_t>(n);
        return true;
    }
    return false;
}

std::string expected(const Tunable& t) {
    const std::string range = std::to_string(t.low) + " to " + std::to_string(t.high);
    switch (t.type) {
    case TunableType::text: return "text";
    case TunableType::number: return "a number from " + range;
    case TunableType::bytes: return "a number of bytes (suffix k, m or g) from " + range;
    case TunableType::flag: return "0 or 1";
    case TunableType::choice: return std::string("one of: ") + t.fallback_or_words;
    }
    return {};
}

bool read_number(const Tunable& t, std::string_view word, int64_t& out) {
    switch (t.type) {
    case TunableType::text: return true;
    case TunableType::flag: return read_flag(word, out);
    case TunableType::choice: return read_choice(t.fallback_or_words, word, out);
    case TunableType::number:
    case TunableType::bytes: break;
    }
    int64_t value = 0;
    if (!read_integer(word, t.type == TunableType::bytes, value)) return false;
    if (value < t.low || value > t.high) return false;
    out = value;
    return true;
}

} // namespace

std::string environment_name(const Tunable& tunable) {
    std::string name = std::string("FI_RILL_") + tunable.name;
    for (char& c : name)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

bool read_tunable(const Tunable& tunable, const char* word, TunableValue& out, std::string& error) {
    const std::string_view fallback = tunable.type == TunableType::choice
                                          ? word_of(tunable.fallback_or_words, 0)
                                          : std::string_view(tunable.fallback_or_words);
    const std::string_view given = word ? std::string_view(word) : fallback;
    int64_t number = 0;
    if (!read_number(tunable, given, number)) {
        error = environment_name(tunable) + "=\"" + std::string(given) + "\": expected " +
                expected(tunable);
        return false;
    }
    out.text = given;
    out.number = number;
    return true;
}

} // namespace rill::obs
