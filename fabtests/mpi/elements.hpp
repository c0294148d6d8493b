// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// C++ types with their MPI types, and values that are exact in all of them.

#pragma once

#include "check.hpp"

#include <complex>
#include <concepts>
#include <cstdint>
#include <vector>

namespace rill_mpi {

template <class T>
struct Element;

template <>
struct Element<uint8_t> {
    static MPI_Datatype type() { return MPI_UINT8_T; }
    static constexpr const char* name = "uint8";
};
template <>
struct Element<int32_t> {
    static MPI_Datatype type() { return MPI_INT32_T; }
    static constexpr const char* name = "int32";
};
template <>
struct Element<int64_t> {
    static MPI_Datatype type() { return MPI_INT64_T; }
    static constexpr const char* name = "int64";
};
template <>
struct Element<float> {
    static MPI_Datatype type() { return MPI_FLOAT; }
    static constexpr const char* name = "float";
};
template <>
struct Element<double> {
    static MPI_Datatype type() { return MPI_DOUBLE; }
    static constexpr const char* name = "double";
};
template <>
struct Element<std::complex<double>> {
    static MPI_Datatype type() { return MPI_C_DOUBLE_COMPLEX; }
    static constexpr const char* name = "complex";
};

// Small whole numbers: sums of them are exact in every type, in whatever order they are added.
template <class T>
T element(uint64_t stream, size_t index) {
    return static_cast<T>(static_cast<int>(stream_of(stream, index) % 16));
}

template <class T>
std::vector<T> elements(uint64_t stream, int count) {
    std::vector<T> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = element<T>(stream, i);
    return values;
}

// `wanted(i)` gives the value that belongs at index i.
template <class T, class Wanted>
requires std::invocable<Wanted, size_t>
void expect_elements(Check& check, const std::vector<T>& got, Wanted wanted,
                     const std::string& what) {
    for (size_t i = 0; i < got.size(); ++i) {
        if (got[i] == static_cast<T>(wanted(i))) continue;
        check.expect(false, "%s (%s): element %zu of %zu is wrong", what.c_str(), Element<T>::name,
                     i, got.size());
        return;
    }
}

} // namespace rill_mpi
