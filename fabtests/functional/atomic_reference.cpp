// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "atomic_reference.hpp"

#include <complex>
#include <cstring>

namespace functional {

namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

template <class F>
auto with(fi_datatype type, F&& f) {
    switch (static_cast<int>(type)) {
    case FI_INT8: return f(int8_t{});
    case FI_UINT8: return f(uint8_t{});
    case FI_INT16: return f(int16_t{});
    case FI_UINT16: return f(uint16_t{});
    case FI_INT32: return f(int32_t{});
    case FI_UINT32: return f(uint32_t{});
    case FI_INT64: return f(int64_t{});
    case FI_UINT64: return f(uint64_t{});
    case FI_FLOAT: return f(float{});
    case FI_DOUBLE: return f(double{});
    case FI_FLOAT_COMPLEX: return f(std::complex<float>{});
    case FI_DOUBLE_COMPLEX: return f(std::complex<double>{});
    case FI_LONG_DOUBLE: return f(0.0L);
    case FI_LONG_DOUBLE_COMPLEX: return f(std::complex<long double>{});
    case FI_INT128: return f(Int128{});
    default: return f(Uint128{});
    }
}

template <class T>
struct Traits {
    static constexpr bool integer = static_cast<T>(3) / static_cast<T>(2) == static_cast<T>(1);
    static constexpr bool ordered = true;
};
template <class T>
struct Traits<std::complex<T>> {
    static constexpr bool integer = false;
    static constexpr bool ordered = false;
};

template <class T>
T element(const Bytes& bytes, size_t at) {
    T value;
    memcpy(static_cast<void*>(&value), bytes.data() + at * sizeof(T), sizeof value);
    return value;
}

template <class T>
T ordered_result(fi_op op, T old, T operand, T compare) {
    if constexpr (Traits<T>::ordered) {
        switch (static_cast<int>(op)) {
        case FI_MIN: return old < operand ? old : operand;
        case FI_MAX: return old > operand ? old : operand;
        case FI_CSWAP_LE: return compare <= old ? operand : old;
        case FI_CSWAP_LT: return compare < old ? operand : old;
        case FI_CSWAP_GE: return compare >= old ? operand : old;
        case FI_CSWAP_GT: return compare > old ? operand : old;
        default: break;
        }
    }
    if constexpr (Traits<T>::integer) {
        switch (static_cast<int>(op)) {
        case FI_BOR: return static_cast<T>(old | operand);
        case FI_BAND: return static_cast<T>(old & operand);
        case FI_BXOR: return static_cast<T>(old ^ operand);
        case FI_MSWAP: return static_cast<T>((operand & compare) | (old & ~compare));
        default: break;
        }
    }
    fail("no such operation");
}

template <class T>
T result(fi_op op, T old, T operand, T compare) {
    const bool was = old != T(0);
    const bool is = operand != T(0);
    switch (static_cast<int>(op)) {
    case FI_SUM: return static_cast<T>(old + operand);
    case FI_PROD: return static_cast<T>(old * operand);
    case FI_LOR: return T(was || is ? 1 : 0);
    case FI_LAND: return T(was && is ? 1 : 0);
    case FI_LXOR: return T(was != is ? 1 : 0);
    case FI_ATOMIC_READ: return old;
    case FI_ATOMIC_WRITE: return operand;
    case FI_CSWAP: return compare == old ? operand : old;
    case FI_CSWAP_NE: return compare != old ? operand : old;
    default: return ordered_result(op, old, operand, compare);
    }
}

} // namespace

size_t bytes_of(fi_datatype type) {
    return with(type, [](auto value) { return sizeof value; });
}

bool atomic_exists(AtomicForm form, fi_op op, fi_datatype type) {
    const bool compares = op >= FI_CSWAP;
    if (compares != (form == AtomicForm::compare)) {
        return false;
    }
    if (op == FI_ATOMIC_READ && form == AtomicForm::base) {
        return false;
    }
    return with(type, [op](auto value) {
        using T = decltype(value);
        switch (static_cast<int>(op)) {
        case FI_MIN:
        case FI_MAX:
        case FI_CSWAP_LE:
        case FI_CSWAP_LT:
        case FI_CSWAP_GE:
        case FI_CSWAP_GT: return Traits<T>::ordered;
        case FI_BOR:
        case FI_BAND:
        case FI_BXOR:
        case FI_MSWAP: return Traits<T>::integer;
        default: return true;
        }
    });
}

void fill_elements(fi_datatype type, Bytes& bytes, uint32_t seed) {
    with(type, [&](auto value) {
        using T = decltype(value);
        for (size_t at = 0; at < bytes.size() / sizeof(T); ++at) {
            seed = seed * 1664525 + 1013904223;
            // Products stay within eight bits, so that no signed type overflows.
            const int small = static_cast<int>(seed >> 16) % 11;
            value = T(small);
            if constexpr (Traits<T>::ordered) {
                if ((seed >> 28) % 2 && T(-1) < T(0)) {
                    value = T(-small);
                }
            }
            memcpy(bytes.data() + at * sizeof(T), static_cast<const void*>(&value), sizeof(T));
        }
    });
}

Bytes atomic_reference(fi_op op, fi_datatype type, const Bytes& before, const Bytes& operand,
                       const Bytes& compare) {
    Bytes after(before.size());
    with(type, [&](auto kind) {
        using T = decltype(kind);
        for (size_t at = 0; at < before.size() / sizeof(T); ++at) {
            const T value = result(op, element<T>(before, at), element<T>(operand, at),
                                   element<T>(compare, at));
            memcpy(after.data() + at * sizeof(T), static_cast<const void*>(&value), sizeof(T));
        }
    });
    return after;
}

bool same_elements(fi_datatype type, const void* a, const void* b, size_t count) {
    return with(type, [&](auto kind) {
        using T = decltype(kind);
        for (size_t at = 0; at < count; ++at) {
            T x, y;
            memcpy(static_cast<void*>(&x), static_cast<const uint8_t*>(a) + at * sizeof(T),
                   sizeof x);
            memcpy(static_cast<void*>(&y), static_cast<const uint8_t*>(b) + at * sizeof(T),
                   sizeof y);
            if (x != y) {
                return false;
            }
        }
        return true;
    });
}

} // namespace functional
