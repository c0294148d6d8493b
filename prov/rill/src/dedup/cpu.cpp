// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rill::dedup {
namespace {

Cpu detect() {
    Cpu cpu;
#if defined(__x86_64__)
    cpu.avx2 = __builtin_cpu_supports("avx2"); // asks too whether the kernel saves the registers
    cpu.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    // Compilers do not agree on a name for SHA. Leaf 7: EBX bit 29 (Intel SDM, CPUID).
    unsigned eax, ebx = 0, ecx, edx;
    __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
    cpu.sha =
        (ebx >> 29 & 1) != 0 && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
#endif
    return cpu;
}

} // namespace

const Cpu& this_cpu() {
    static const Cpu cpu = detect();
    return cpu;
}

} // namespace rill::dedup
