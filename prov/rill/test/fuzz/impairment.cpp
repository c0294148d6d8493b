// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The value of FI_RILL_IMPAIR: what is taken is in range, what is not says why and changes nothing.
#include "link/impair.hpp"
#include "test/fuzz/input.hpp"

using namespace rill;
using fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    link::Impairment out;
    out.seed = 4711;
    std::string error;
    if (link::parse_impairment(fuzz::Input(data, size).text(), out, error)) {
        for (const double p : {out.loss, out.dup, out.reorder, out.corrupt})
            expect(p >= 0 && p <= 1, "a probability");
        expect(out.delay >= Duration::zero(), "a delay");
    } else {
        expect(!error.empty() && !out.any() && out.seed == 4711, "a refusal, with a reason");
    }
    return 0;
}
