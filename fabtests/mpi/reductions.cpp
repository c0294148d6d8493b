// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Collectives that compute.

#include "communicators.hpp"
#include "elements.hpp"

#include <set>
#include <span>

namespace rill_mpi {
namespace {

constexpr int counts[] = {1, 33, 1000, 30000};
constexpr int few_counts[] = {1, 1000};

template <class T>
class Reduction {
public:
    Reduction(Check& check_, const Group& group_, int count_)
        : check(check_), group(group_), count(count_),
          base(stream_of(check_.seed, count_, sizeof(T))),
          mine(elements<T>(stream_of(base, group_.rank), count_)) {}

    void run() {
        std::vector<T> got(mine.size());
        check.step("MPI_Allreduce");
        MPI_Allreduce(mine.data(), got.data(), count, type, MPI_SUM, group.comm);
        expect_sum(got, group.size, "allreduce");

        check.step("MPI_Allreduce in place");
        got = mine;
        MPI_Allreduce(MPI_IN_PLACE, got.data(), count, type, MPI_SUM, group.comm);
        expect_sum(got, group.size, "allreduce in place");

        check.step("MPI_Reduce");
        for (int root : std::set{0, group.size / 2, group.size - 1}) {
            MPI_Reduce(mine.data(), got.data(), count, type, MPI_SUM, root, group.comm);
            if (group.rank == root) expect_sum(got, group.size, "reduce");
        }

        check.step("MPI_Scan");
        MPI_Scan(mine.data(), got.data(), count, type, MPI_SUM, group.comm);
        expect_sum(got, group.rank + 1, "scan");

        check.step("MPI_Exscan");
        MPI_Exscan(mine.data(), got.data(), count, type, MPI_SUM, group.comm);
        if (group.rank > 0) expect_sum(got, group.rank, "exscan");

        scattered();
    }

private:
    [[nodiscard]] T sum(size_t index, int ranks) const {
        T total{};
        for (int rank = 0; rank < ranks; ++rank)
            total = static_cast<T>(total + element<T>(stream_of(base, rank), index));
        return total;
    }

    void expect_sum(const std::vector<T>& got, int ranks, const char* what) {
        expect_elements(
            check, got, [&](size_t i) { return sum(i, ranks); },
            std::string(what) + " on " + group.name + ", count " + std::to_string(count));
    }

    void scattered() {
        check.step("MPI_Reduce_scatter_block");
        int block = count / group.size;
        std::vector<T> got(static_cast<size_t>(block));
        MPI_Reduce_scatter_block(mine.data(), got.data(), block, type, MPI_SUM, group.comm);
        auto first = static_cast<size_t>(block * group.rank);
        expect_elements(
            check, got, [&](size_t i) { return sum(first + i, group.size); },
            "reduce-scatter block on " + group.name);

        check.step("MPI_Reduce_scatter");
        std::vector<int> lengths(static_cast<size_t>(group.size), 0);
        lengths.back() = count; // everything to the last
        got.resize(group.rank == group.size - 1 ? mine.size() : 0);
        MPI_Reduce_scatter(mine.data(), got.data(), lengths.data(), type, MPI_SUM, group.comm);
        expect_elements(
            check, got, [&](size_t i) { return sum(i, group.size); },
            "reduce-scatter on " + group.name);
    }

    Check& check;
    const Group& group;
    int count;
    uint64_t base;
    std::vector<T> mine;
    MPI_Datatype type = Element<T>::type();
};

void extremes(Check& check, const Group& group) {
    check.step("MPI_MAX, MPI_MIN, MPI_BXOR");
    int64_t mine = group.rank * 7 - 3, largest = 0, smallest = 0, bits = 0, wanted_bits = 0;
    MPI_Allreduce(&mine, &largest, 1, MPI_INT64_T, MPI_MAX, group.comm);
    MPI_Allreduce(&mine, &smallest, 1, MPI_INT64_T, MPI_MIN, group.comm);
    MPI_Allreduce(&mine, &bits, 1, MPI_INT64_T, MPI_BXOR, group.comm);
    for (int rank = 0; rank < group.size; ++rank)
        wanted_bits ^= rank * 7 - 3;
    check.expect(largest == (group.size - 1) * 7 - 3 && smallest == -3 && bits == wanted_bits,
                 "largest, smallest or exclusive-or on %s", group.name.c_str());

    check.step("MPI_MINLOC");
    struct {
        double value;
        int rank;
    } pair{static_cast<double>(100 - group.rank), group.rank}, least{};
    MPI_Allreduce(&pair, &least, 1, MPI_DOUBLE_INT, MPI_MINLOC, group.comm);
    check.expect(least.rank == group.size - 1 && least.value == 100 - least.rank,
                 "least value and its rank on %s", group.name.c_str());
}

// x -> a·x + b modulo 2^32: composing such maps is associative, but not commutative.
struct Affine {
    uint32_t a, b;
    bool operator==(const Affine&) const = default;
};

void compose(void* in, void* inout, int* count, MPI_Datatype*) {
    auto* first = static_cast<const Affine*>(in);
    auto* second = static_cast<Affine*>(inout);
    for (int i = 0; i < *count; ++i)
        second[i] = {first[i].a * second[i].a, first[i].b * second[i].a + second[i].b};
}

void in_rank_order(Check& check, const Group& group) {
    check.step("operation that does not commute");
    MPI_Op op = MPI_OP_NULL;
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Op_create(compose, 0, &op);
    MPI_Type_contiguous(2, MPI_UINT32_T, &type);
    MPI_Type_commit(&type);

    constexpr int count = 700;
    auto map_of = [](int rank, int i) {
        return Affine{static_cast<uint32_t>(2 * rank + 3), static_cast<uint32_t>(i + rank)};
    };
    std::vector<Affine> mine, got(count);
    for (int i = 0; i < count; ++i)
        mine.push_back(map_of(group.rank, i));
    MPI_Allreduce(mine.data(), got.data(), count, type, op, group.comm);
    for (int i = 0; i < count; ++i) {
        Affine wanted = map_of(0, i);
        for (int rank = 1; rank < group.size; ++rank) {
            Affine next = map_of(rank, i);
            wanted = {wanted.a * next.a, wanted.b * next.a + next.b};
        }
        check.expect(got[static_cast<size_t>(i)] == wanted, "order of operands on %s",
                     group.name.c_str());
    }
    MPI_Type_free(&type);
    MPI_Op_free(&op);
}

} // namespace

void check_reductions(Check& check) {
    Communicators communicators(check);
    for (const Group& group : communicators.groups) {
        bool first = &group == &communicators.groups.front();
        for (int count : first ? std::span<const int>(counts) : few_counts) {
            Reduction<int32_t>(check, group, count).run();
            Reduction<double>(check, group, count).run();
            if (!first) continue;
            Reduction<uint8_t>(check, group, count).run();
            Reduction<int64_t>(check, group, count).run();
            Reduction<float>(check, group, count).run();
            Reduction<std::complex<double>>(check, group, count).run();
        }
        extremes(check, group);
        in_rank_order(check, group);
    }
}

} // namespace rill_mpi
