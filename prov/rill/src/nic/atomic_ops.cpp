// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/atomic_ops.hpp"

#include <complex>
#include <cstring>
#include <mutex>
#include <type_traits>

namespace rill::nic {
namespace {

using wire::AtomicKind;
using wire::AtomicOp;
using wire::AtomicType;

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

template <class T>
constexpr bool is_complex = false;
template <class T>
constexpr bool is_complex<std::complex<T>> = true;

template <class T>
constexpr bool is_integer =
    std::is_integral_v<T> || std::is_same_v<T, Int128> || std::is_same_v<T, Uint128>;

// Calls f with a value of the type that the wire names.
template <class F>
auto with_type(AtomicType type, F&& f) {
    switch (type) {
    case AtomicType::int8: return f(int8_t{});
    case AtomicType::uint8: return f(uint8_t{});
    case AtomicType::int16: return f(int16_t{});
    case AtomicType::uint16: return f(uint16_t{});
    case AtomicType::int32: return f(int32_t{});
    case AtomicType::uint32: return f(uint32_t{});
    case AtomicType::int64: return f(int64_t{});
    case AtomicType::uint64: return f(uint64_t{});
    case AtomicType::float32: return f(float{});
    case AtomicType::float64: return f(double{});
    case AtomicType::complex32: return f(std::complex<float>{});
    case AtomicType::complex64: return f(std::complex<double>{});
    case AtomicType::long_double: return f(0.0L);
    case AtomicType::complex_long_double: return f(std::complex<long double>{});
    case AtomicType::int128: return f(Int128{});
    case AtomicType::uint128: break;
    }
    return f(Uint128{});
}

// Integers are computed without a sign, where running over is defined, and at least as wide as int,
// where short factors cannot run over after promotion.
template <class T>
using Wide = std::conditional_t<sizeof(T) <= 8, uint64_t, Uint128>;

template <class T>
T sum(T a, T b) {
    if constexpr (is_integer<T>)
        return static_cast<T>(static_cast<Wide<T>>(a) + static_cast<Wide<T>>(b));
    else
        return a + b;
}

template <class T>
T product(T a, T b) {
    if constexpr (is_integer<T>)
        return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b));
    else
        return a * b;
}

template <class T>
T truth(bool b) {
    return b ? T(1) : T(0);
}

template <class T>
T combine(AtomicOp op, T old, T operand, T compare) {
    const T zero(0);
    switch (op) {
    case AtomicOp::sum: return sum(old, operand);
    case AtomicOp::prod: return product(old, operand);
    case AtomicOp::logical_or: return truth<T>(old != zero || operand != zero);
    case AtomicOp::logical_and: return truth<T>(old != zero && operand != zero);
    case AtomicOp::logical_xor: return truth<T>((old != zero) != (operand != zero));
    case AtomicOp::read: return old;
    case AtomicOp::write: return operand;
    case AtomicOp::cswap: return compare == old ? operand : old;
    case AtomicOp::cswap_ne: return compare != old ? operand : old;
    default: break;
    }
    if constexpr (!is_complex<T>) {
        switch (op) {
        case AtomicOp::min: return operand < old ? operand : old;
        case AtomicOp::max: return operand > old ? operand : old;
        case AtomicOp::cswap_le: return compare <= old ? operand : old;
        case AtomicOp::cswap_lt: return compare < old ? operand : old;
        case AtomicOp::cswap_ge: return compare >= old ? operand : old;
        case AtomicOp::cswap_gt: return compare > old ? operand : old;
        default: break;
        }
    }
    if constexpr (is_integer<T>) {
        switch (op) {
        case AtomicOp::bit_or: return static_cast<T>(old | operand);
        case AtomicOp::bit_and: return static_cast<T>(old & operand);
        case AtomicOp::bit_xor: return static_cast<T>(old ^ operand);
        case AtomicOp::mswap: return static_cast<T>((operand & compare) | (old & ~compare));
        default: break;
        }
    }
    return old;
}

template <class T>
T load(const std::byte* at) {
    T value{};
    if (at) std::memcpy(static_cast<void*>(&value), at, sizeof value);
    return value;
}

template <size_t Bytes>
struct WordOf;
template <>
struct WordOf<1> {
    using Type = uint8_t;
};
template <>
struct WordOf<2> {
    using Type = uint16_t;
};
template <>
struct WordOf<4> {
    using Type = uint32_t;
};
template <>
struct WordOf<8> {
    using Type = uint64_t;
};

// One element with the processor's compare-and-swap. Returns what was there.
template <class T>
T exchange_word(AtomicOp op, std::byte* target, T operand, T compare) {
    using Word = typename WordOf<sizeof(T)>::Type;
    auto* at = reinterpret_cast<Word*>(target);
    Word seen = __atomic_load_n(at, __ATOMIC_SEQ_CST);
    for (;;) {
        T old;
        std::memcpy(static_cast<void*>(&old), &seen, sizeof old);
        if (op == AtomicOp::read) return old;
        const T next = combine(op, old, operand, compare);
        Word wanted;
        std::memcpy(&wanted, &next, sizeof wanted);
        if (__atomic_compare_exchange_n(at, &seen, wanted, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return old;
    }
}

// What the processor has no operation for. The one lock below the room fi: devices are owned one by
// one, but two of them, of two domains, may have the same memory registered.
template <class T>
T exchange_locked(AtomicOp op, std::byte* target, T operand, T compare) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const T old = load<T>(target);
    if (op == AtomicOp::read) return old;
    const T next = combine(op, old, operand, compare);
    std::memcpy(target, &next, sizeof next);
    return old;
}

template <class T>
void execute_as(const AtomicWork& w) {
    for (size_t i = 0; i < w.count; ++i) {
        const size_t at = i * sizeof(T);
        const T operand = load<T>(w.operand ? w.operand + at : nullptr);
        const T compare = load<T>(w.compare ? w.compare + at : nullptr);
        std::byte* target = w.target + at;
        T old;
        bool natural = false;
        if constexpr (sizeof(T) <= 8) {
            natural = reinterpret_cast<uintptr_t>(target) % sizeof(T) == 0;
            if (natural) old = exchange_word(w.op, target, operand, compare);
        }
        if (!natural) old = exchange_locked(w.op, target, operand, compare);
        if (w.result) std::memcpy(w.result + at, &old, sizeof old);
    }
}

bool is_known(AtomicOp op, AtomicType type) {
    return static_cast<size_t>(op) < wire::kAtomicOps &&
           static_cast<size_t>(type) < wire::kAtomicTypes;
}

} // namespace

bool is_valid_atomic(AtomicKind kind, AtomicOp op, AtomicType type) {
    if (!is_known(op, type)) return false;
    const bool compares = op >= AtomicOp::cswap;
    if (compares != (kind == AtomicKind::compare)) return false;
    if (op == AtomicOp::read && kind == AtomicKind::base) return false;
    return with_type(type, [op]<class T>(T) {
        switch (op) {
        case AtomicOp::min:
        case AtomicOp::max:
        case AtomicOp::cswap_le:
        case AtomicOp::cswap_lt:
        case AtomicOp::cswap_ge:
        case AtomicOp::cswap_gt: return !is_complex<T>;
        case AtomicOp::bit_or:
        case AtomicOp::bit_and:
        case AtomicOp::bit_xor:
        case AtomicOp::mswap: return is_integer<T>;
        case AtomicOp::sum:
        case AtomicOp::prod:
        case AtomicOp::logical_or:
        case AtomicOp::logical_and:
        case AtomicOp::logical_xor:
        case AtomicOp::read:
        case AtomicOp::write:
        case AtomicOp::cswap:
        case AtomicOp::cswap_ne: return true;
        }
        return false;
    });
}

void execute(const AtomicWork& work) {
    with_type(work.type, [&]<class T>(T) { execute_as<T>(work); });
}

} // namespace rill::nic
