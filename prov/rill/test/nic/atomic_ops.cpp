// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/atomic_ops.hpp"

#include <criterion/criterion.h>

#include <cstring>
#include <limits>

using namespace rill;
using namespace rill::nic;
using wire::AtomicKind;
using wire::AtomicOp;
using wire::AtomicType;

namespace {

template <class T>
T run(AtomicOp op, AtomicType type, T target, T operand, T compare, T* before = nullptr) {
    T result{};
    AtomicWork w{.op = op, .type = type, .count = 1};
    w.target = reinterpret_cast<std::byte*>(&target);
    w.operand = reinterpret_cast<const std::byte*>(&operand);
    w.compare = reinterpret_cast<const std::byte*>(&compare);
    w.result = reinterpret_cast<std::byte*>(&result);
    execute(w);
    if (before) *before = result;
    return target;
}

} // namespace

Test(atomic_ops, what_exists_is_what_the_types_have) {
    size_t valid[3] = {};
    for (size_t kind = 0; kind < 3; ++kind)
        for (size_t op = 0; op < 32; ++op)
            for (size_t type = 0; type < 32; ++type)
                valid[kind] +=
                    is_valid_atomic(static_cast<AtomicKind>(kind), static_cast<AtomicOp>(op),
                                    static_cast<AtomicType>(type));
    // Of 16 types 10 are integers and 3 complex. Base: sum, product, three logical, write for all,
    // min and max for 13, three with bits for 10; fetch: read as well; compare: == and != for all,
    // four of order for 13, one with bits for 10.
    cr_assert_eq(valid[0], 6u * 16 + 2 * 13 + 3 * 10);
    cr_assert_eq(valid[1], valid[0] + 16);
    cr_assert_eq(valid[2], 2u * 16 + 4 * 13 + 10);
}

Test(atomic_ops, integers_run_over_without_a_trap) {
    constexpr int32_t big = std::numeric_limits<int32_t>::max();
    cr_assert_eq(run<int32_t>(AtomicOp::sum, AtomicType::int32, big, 1, 0),
                 std::numeric_limits<int32_t>::min());
    cr_assert_eq(run<int16_t>(AtomicOp::prod, AtomicType::int16, 32767, 32767, 0), 1);
    cr_assert_eq(run<uint16_t>(AtomicOp::prod, AtomicType::uint16, 65535, 65535, 0), 1);
    cr_assert_eq(run<int64_t>(AtomicOp::prod, AtomicType::int64, INT64_MIN, -1, 0), INT64_MIN);
}

Test(atomic_ops, what_was_there_comes_back) {
    uint64_t before = 0;
    cr_assert_eq(run<uint64_t>(AtomicOp::cswap, AtomicType::uint64, 5, 9, 5, &before), 9u);
    cr_assert_eq(before, 5u);
    cr_assert_eq(run<uint64_t>(AtomicOp::cswap, AtomicType::uint64, 5, 9, 6, &before), 5u);
    cr_assert_eq(run<uint64_t>(AtomicOp::cswap_lt, AtomicType::uint64, 5, 9, 4, &before), 9u);
    cr_assert_eq(run<uint64_t>(AtomicOp::mswap, AtomicType::uint64, 0xff00, 0x1234, 0x0ff0),
                 0xf230u);
    cr_assert_eq(run<uint64_t>(AtomicOp::read, AtomicType::uint64, 5, 9, 0, &before), 5u);
    cr_assert_eq(before, 5u);
}

// Elements off their natural alignment, and operands of any.
Test(atomic_ops, alignment_is_not_asked_for) {
    alignas(8) std::byte memory[40] = {};
    alignas(8) std::byte operand[17] = {};
    const uint64_t values[2] = {3, 4};
    std::memcpy(operand + 1, values, sizeof values);
    for (int twice = 0; twice < 2; ++twice) {
        AtomicWork w{.op = AtomicOp::sum, .type = AtomicType::uint64, .count = 2};
        w.target = memory + 3;
        w.operand = operand + 1;
        execute(w);
    }
    uint64_t sums[2];
    std::memcpy(sums, memory + 3, sizeof sums);
    cr_assert_eq(sums[0], 6u);
    cr_assert_eq(sums[1], 8u);
    cr_assert_eq(memory[2], std::byte{0});
    cr_assert_eq(memory[19], std::byte{0});
}
