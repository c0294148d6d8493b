// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/impair.hpp"

#include "util/prng.hpp"

#include <algorithm>
#include <charconv>

namespace rill::link {
namespace {

// A second: beyond it every time-out of the protocol strikes, and nothing is learnt.
constexpr uint64_t kDelayUsMax = 1'000'000;

enum class Key : uint8_t { loss, dup, reorder, corrupt, delay_us, seed };
constexpr std::string_view kKeys[] = {"loss", "dup", "reorder", "corrupt", "delay_us", "seed"};

bool find_key(std::string_view name, Key& key) {
    for (size_t i = 0; i < std::size(kKeys); ++i) {
        if (kKeys[i] != name) continue;
        key = static_cast<Key>(i);
        return true;
    }
    return false;
}

// The whole text must be a number: no blanks, no sign, no unit.
template <class T>
bool read_number(std::string_view text, T& value) {
    const char* end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data(), end, value);
    return failed == std::errc() && stop == end;
}

bool read_probability(std::string_view text, double& value) {
    double v = 0;
    // Put so that NaN, which from_chars takes, is out of range.
    if (!read_number(text, v) || !(v >= 0 && v <= 1) || text.front() == '-') return false;
    value = v;
    return true;
}

const char* expected(Key key) {
    switch (key) {
    case Key::loss:
    case Key::dup:
    case Key::reorder:
    case Key::corrupt: return "a probability from 0 to 1";
    case Key::delay_us: return "a number of microseconds from 0 to 1000000";
    case Key::seed: return "a number below 2^64";
    }
    return "";
}

bool read_value(Key key, std::string_view text, Impairment& out) {
    uint64_t number = 0;
    switch (key) {
    case Key::loss: return read_probability(text, out.loss);
    case Key::dup: return read_probability(text, out.dup);
    case Key::reorder: return read_probability(text, out.reorder);
    case Key::corrupt: return read_probability(text, out.corrupt);
    case Key::delay_us:
        if (!read_number(text, number) || number > kDelayUsMax) return false;
        out.delay = std::chrono::microseconds(number);
        return true;
    case Key::seed: return read_number(text, out.seed);
    }
    return false;
}

bool read_word(std::string_view word, unsigned& seen, Impairment& out, std::string& error) {
    const std::string quoted = "'" + std::string(word) + "'";
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
        error = "impairment " + quoted + " is not of the form key=value";
        return false;
    }
    Key key{};
    if (!find_key(word.substr(0, equals), key)) {
        error = "impairment " + quoted +
                " has an unknown key; known are loss, dup, reorder, corrupt, delay_us, seed";
        return false;
    }
    const unsigned bit = 1u << static_cast<unsigned>(key);
    if (seen & bit) {
        error = "impairment " + quoted + " is given twice";
        return false;
    }
    seen |= bit;
    if (read_value(key, word.substr(equals + 1), out)) return true;
    error = "impairment " + quoted + " wants " + expected(key);
    return false;
}

} // namespace

bool parse_impairment(std::string_view text, Impairment& out, std::string& error) {
    Impairment parsed;
    unsigned seen = 0;
    for (size_t at = 0; !text.empty() && at <= text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        if (!read_word(text.substr(at, end - at), seen, parsed, error)) return false;
        at = end + 1;
    }
    out = parsed;
    return true;
}

uint16_t internet_checksum(std::span<const std::byte> bytes) {
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
        sum += (std::to_integer<uint32_t>(bytes[i]) << 8) | std::to_integer<uint32_t>(bytes[i + 1]);
    if (i < bytes.size()) sum += std::to_integer<uint32_t>(bytes[i]) << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

void flip_burst(std::span<std::byte> bytes, size_t first_bit, size_t length, Prng& prng) {
    for (size_t i = 0; i < length; ++i) {
        const bool edge = i == 0 || i + 1 == length;
        if (!edge && (prng.next() & 1)) continue;
        const size_t bit = first_bit + i;
        bytes[bit / 8] ^= std::byte(0x80 >> (bit % 8));
    }
}

} // namespace rill::link
