// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The word of any tunable: what is taken is in range, what is not says why and changes nothing.
#include "obs/tunables.hpp"
#include "test/fuzz/input.hpp"

using namespace rill;
using fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input in(data, size);
    const obs::Tunable& tunable = obs::kTunables[in.byte() % obs::kTunableCount];
    const std::string word(in.text().substr(0, in.text().find('\0')));
    obs::TunableValue out;
    out.number = -4711;
    std::string error;
    if (obs::read_tunable(tunable, word.c_str(), out, error)) {
        if (tunable.type == obs::TunableType::number || tunable.type == obs::TunableType::bytes)
            expect(out.number >= tunable.low && out.number <= tunable.high,
                   "a number in its range");
        expect(out.text == word, "the word as it was");
    } else {
        expect(!error.empty() && out.number == -4711, "a refusal, with a reason");
        expect(tunable.type != obs::TunableType::text, "text is taken as it is");
    }
    return 0;
}
