// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// The numbers of atomic operations and types on the wire. They are libfabric's (fi_atomic(3)),
// which `fi` asserts.

#include <cstddef>
#include <cstdint>

namespace rill::wire {

// What becomes of the target, given the operand and (from cswap on) what it is compared with.
enum class AtomicOp : uint8_t {
    min,
    max,
    sum,
    prod,
    logical_or,
    logical_and,
    bit_or,
    bit_and,
    logical_xor,
    bit_xor,
    read,  // stays as it is
    write, // the operand
    cswap, // the operand, if what it is compared with == the target; below likewise with !=, ...
    cswap_ne,
    cswap_le,
    cswap_lt,
    cswap_ge,
    cswap_gt,
    mswap, // the operand where the mask has bits
};
inline constexpr size_t kAtomicOps = 19;

enum class AtomicType : uint8_t {
    int8,
    uint8,
    int16,
    uint16,
    int32,
    uint32,
    int64,
    uint64,
    float32,
    float64,
    complex32, // two float32
    complex64, // two float64
    long_double,
    complex_long_double,
    int128,
    uint128,
};
inline constexpr size_t kAtomicTypes = 16;

// Bytes of one element.
constexpr size_t bytes_of(AtomicType t) {
    switch (t) {
    case AtomicType::int8:
    case AtomicType::uint8: return 1;
    case AtomicType::int16:
    case AtomicType::uint16: return 2;
    case AtomicType::int32:
    case AtomicType::uint32:
    case AtomicType::float32: return 4;
    case AtomicType::int64:
    case AtomicType::uint64:
    case AtomicType::float64:
    case AtomicType::complex32: return 8;
    case AtomicType::complex64:
    case AtomicType::int128:
    case AtomicType::uint128: return 16;
    case AtomicType::long_double: return sizeof(long double);
    case AtomicType::complex_long_double: return 2 * sizeof(long double);
    }
    return 0;
}

} // namespace rill::wire
