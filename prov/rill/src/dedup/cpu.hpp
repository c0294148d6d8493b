// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

namespace rill::dedup {

// What this processor has beyond the baseline that everything is compiled for. All that depends on
// it has a portable twin with the same results, so Cpu{} is right everywhere.
struct Cpu {
    bool avx2 = false;
    bool avx512 = false; // F and BW
    bool sha = false;    // SHA-NI, with the SSSE3 and SSE4.1 that its use needs
};

// What this machine has, found out once.
const Cpu& this_cpu();

} // namespace rill::dedup
