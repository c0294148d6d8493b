// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

namespace rill::obs {

// What a tunable's word must look like. Only `text` needs a reader elsewhere.
enum class TunableType : uint8_t {
    text,   // taken as it is
    number, // decimal, within the range
    bytes,  // the same, with an optional suffix k, m or g (powers of 1024)
    flag,   // 0, 1, no, yes, off, on, false, true
    choice, // one of the words in `fallback_or_words`, the first of which is the default
};

// Every tunable of the provider: enumerator (and, in capitals behind FI_RILL_, the environment
// variable), type, default, range, a value that must be refused with an error, help. libfabric's
// parameter list, the manual page and the tests read this table.
#define RILL_TUNABLES(X)                                                                           \
    X(iface, text, "", 0, 0, "no-such-if0",                                                        \
      "interface (name or address) to use; default: the fastest that is up, not loopback")         \
    X(device, text, "rill-std", 0, 0, "no-such-device",                                            \
      "device type that is emulated: rill-std, rill-lite, or, with a slash, a file that "          \
      "describes "                                                                                 \
      "one")                                                                                       \
    X(port_range, text, "", 0, 0, "5000-4000",                                                     \
      "first-last: UDP ports to listen on and to send from; default: what the system gives")       \
    X(rcvbuf, bytes, "0", 0, int64_t{1} << 30, "plenty",                                           \
      "largest socket receive buffer to ask for, in bytes; 0: as much as is allowed, up to 4m")    \
    X(peer_timeout, number, "10000", 0, 86400000, "-1",                                            \
      "silence of a peer that counts as its death, in milliseconds; 0: never")                     \
    X(open, choice, "lax strict", 0, 0, "maybe",                                                   \
      "strict: hold back the first data of every stranger until its address is proved")            \
    X(impair, text, "", 0, 0, "loss=often",                                                        \
      "for tests: loss=0.01,dup=0.005,reorder=0.02,corrupt=0.001,delay_us=50,seed=7")              \
    X(stats, flag, "0", 0, 1, "perhaps",                                                           \
      "1: print all counters to standard error when a domain is closed")                           \
    X(observe, flag, "1", 0, 1, "maybe",                                                           \
      "1: rillctl and rill_stat of the same user may look at the device")                          \
    X(unscheduled, bytes, "16k", 0, 1 << 20, "-5", "bytes sent to a peer before its first credit") \
    X(tx_size, number, "16384", 1, 1 << 20, "0",                                                   \
      "send operations of an endpoint whose data has not left")                                    \
    X(rx_size, number, "16384", 1, 1 << 20, "0",                                                   \
      "receives of an endpoint that fi_info promises room for; more are taken")                    \
    X(envelopes, number, "1048576", 1, 1 << 26, "none",                                            \
      "unexpected messages of an endpoint that are kept (header and up to 64 bytes)")              \
    X(bounce, bytes, "64m", 65536, int64_t{1} << 40, "1",                                          \
      "memory for unexpected payload, in bytes per domain")                                        \
    X(shm, flag, "1", 0, 1, "maybe",                                                               \
      "1: packets to processes of the same host and user go through memory")                       \
    X(paths, number, "32", 1, 64, "65",                                                            \
      "UDP source ports that may be tried where bulk data meets a queue; 1: only one is used")     \
    X(housekeeper_ms, number, "5", 1, 1000, "0",                                                   \
      "absence of the program from the library after which its thread answers for it")             \
    X(max_packet, bytes, "0", 0, 65472, "70000",                                                   \
      "largest UDP payload, in bytes, at least 576; 0: what the network takes")

enum class TunableId : uint8_t {
#define X(name, type, fallback, low, high, hostile, help) name,
    RILL_TUNABLES(X)
#undef X
};

struct Tunable {
    const char* name;
    TunableType type;
    const char* fallback_or_words;
    int64_t low;
    int64_t high;
    const char* hostile;
    const char* help;
};

inline constexpr Tunable kTunables[] = {
#define X(name, type, fallback, low, high, hostile, help)                                          \
    {#name, TunableType::type, fallback, low, high, hostile, help},
    RILL_TUNABLES(X)
#undef X
};
inline constexpr size_t kTunableCount = std::size(kTunables);

// "FI_RILL_PEER_TIMEOUT"
std::string environment_name(const Tunable& tunable);

// What was read: `number` for all types but text (flag: 0 or 1, choice: the word's place).
struct TunableValue {
    std::string text;
    int64_t number = 0;
};

// Reads a word. False when it is none of those allowed; `error` then names the variable and the
// word. Null stands for the default.
[[nodiscard]] bool read_tunable(const Tunable& tunable, const char* word, TunableValue& out,
                                std::string& error);

// All values, by TunableId.
class TunableValues {
public:
    TunableValue& at(size_t index) { return values_[index]; }
    int64_t number(TunableId id) const { return values_[static_cast<size_t>(id)].number; }
    const std::string& text(TunableId id) const { return values_[static_cast<size_t>(id)].text; }

private:
    std::array<TunableValue, kTunableCount> values_;
};

} // namespace rill::obs
