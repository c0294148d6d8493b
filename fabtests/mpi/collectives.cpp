// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Collectives that move data, over several types, sizes and communicators.

#include "communicators.hpp"
#include "elements.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <span>

namespace rill_mpi {
namespace {

// From nothing to beyond what any library sends eagerly; the sub-groups need not see all of it.
constexpr int counts[] = {0, 1, 17, 1000, 30000};
constexpr int few_counts[] = {1, 1000};

// Rank r's share of an uneven distribution; some ranks have nothing.
int share(int rank, int count) {
    return rank % 3 == 2 ? 0 : count / (rank + 1) + rank;
}

struct Layout {
    std::vector<int> lengths, offsets;
    int total = 0;
};

Layout uneven(int size, int count) {
    Layout layout;
    for (int rank = 0; rank < size; ++rank) {
        layout.lengths.push_back(share(rank, count));
        layout.offsets.push_back(layout.total);
        layout.total += layout.lengths.back() + 1; // with a hole that must stay untouched
    }
    return layout;
}

template <class T>
class Movement {
public:
    Movement(Check& check_, const Group& group_, int count_)
        : check(check_), group(group_), count(count_),
          base(stream_of(check_.seed, count_, sizeof(T))) {}

    void run() {
        // The library builds its trees relative to the root: three show every shape.
        for (int root : std::set{0, group.size / 2, group.size - 1}) {
            broadcast(root);
            gather(root);
            scatter(root);
            uneven_gather(root);
            uneven_scatter(root);
        }
        allgather();
        uneven_allgather();
        alltoall();
        uneven_alltoall();
    }

private:
    [[nodiscard]] std::vector<T> mine(int of, int length) const {
        return elements<T>(stream_of(base, of), length);
    }

    [[nodiscard]] std::vector<T> space(int blocks, int length) const {
        return std::vector<T>(static_cast<size_t>(blocks) * static_cast<size_t>(length), T(99));
    }

    [[nodiscard]] std::string at(const char* what) const {
        return std::string(what) + " on " + group.name + ", count " + std::to_string(count);
    }

    void expect_blocks(const std::vector<T>& got, const std::string& what) {
        auto length = static_cast<size_t>(count);
        expect_elements(
            check, got,
            [&](size_t i) { return element<T>(stream_of(base, i / length), i % length); }, what);
    }

    void expect_layout(const std::vector<T>& got, const Layout& layout, const std::string& what) {
        std::vector<T> wanted = space(1, layout.total);
        for (int rank = 0; rank < group.size; ++rank)
            std::ranges::copy(mine(rank, layout.lengths[static_cast<size_t>(rank)]),
                              wanted.begin() + layout.offsets[static_cast<size_t>(rank)]);
        expect_elements(
            check, got, [&](size_t i) { return wanted[i]; }, what);
    }

    void broadcast(int root) {
        check.step("MPI_Bcast");
        auto data = group.rank == root ? mine(root, count) : space(1, count);
        MPI_Bcast(data.data(), count, type, root, group.comm);
        expect_elements(
            check, data, [&](size_t i) { return element<T>(stream_of(base, root), i); },
            at("broadcast"));
    }

    void gather(int root) {
        check.step("MPI_Gather");
        auto data = mine(group.rank, count);
        auto all = space(group.rank == root ? group.size : 0, count);
        MPI_Gather(data.data(), count, type, all.data(), count, type, root, group.comm);
        expect_blocks(all, at("gather"));
    }

    void scatter(int root) {
        check.step("MPI_Scatter");
        std::vector<T> all;
        if (group.rank == root)
            for (int rank = 0; rank < group.size; ++rank)
                std::ranges::copy(mine(rank, count), std::back_inserter(all));
        auto data = space(1, count);
        MPI_Scatter(all.data(), count, type, data.data(), count, type, root, group.comm);
        expect_elements(
            check, data, [&](size_t i) { return element<T>(stream_of(base, group.rank), i); },
            at("scatter"));
    }

    void uneven_gather(int root) {
        check.step("MPI_Gatherv");
        Layout layout = uneven(group.size, count);
        auto data = mine(group.rank, share(group.rank, count));
        auto all = space(1, group.rank == root ? layout.total : 0);
        MPI_Gatherv(data.data(), static_cast<int>(data.size()), type, all.data(),
                    layout.lengths.data(), layout.offsets.data(), type, root, group.comm);
        if (group.rank == root) expect_layout(all, layout, at("gatherv"));
    }

    void uneven_scatter(int root) {
        check.step("MPI_Scatterv");
        Layout layout = uneven(group.size, count);
        auto all = space(1, layout.total);
        for (int rank = 0; rank < group.size; ++rank)
            std::ranges::copy(mine(rank, layout.lengths[static_cast<size_t>(rank)]),
                              all.begin() + layout.offsets[static_cast<size_t>(rank)]);
        auto data = space(1, share(group.rank, count));
        MPI_Scatterv(all.data(), layout.lengths.data(), layout.offsets.data(), type, data.data(),
                     static_cast<int>(data.size()), type, root, group.comm);
        expect_elements(
            check, data, [&](size_t i) { return element<T>(stream_of(base, group.rank), i); },
            at("scatterv"));
    }

    void allgather() {
        check.step("MPI_Allgather");
        auto data = mine(group.rank, count);
        auto all = space(group.size, count);
        MPI_Allgather(data.data(), count, type, all.data(), count, type, group.comm);
        expect_blocks(all, at("allgather"));

        check.step("MPI_Allgather in place");
        all = space(group.size, count);
        std::ranges::copy(data, all.begin() + static_cast<ptrdiff_t>(group.rank) * count);
        MPI_Allgather(MPI_IN_PLACE, 0, type, all.data(), count, type, group.comm);
        expect_blocks(all, at("allgather in place"));
    }

    void uneven_allgather() {
        check.step("MPI_Allgatherv");
        Layout layout = uneven(group.size, count);
        auto data = mine(group.rank, share(group.rank, count));
        auto all = space(1, layout.total);
        MPI_Allgatherv(data.data(), static_cast<int>(data.size()), type, all.data(),
                       layout.lengths.data(), layout.offsets.data(), type, group.comm);
        expect_layout(all, layout, at("allgatherv"));
    }

    // What goes from one rank to another.
    [[nodiscard]] uint64_t parcel(int from, int to) const { return stream_of(base, from, to); }

    void alltoall() {
        check.step("MPI_Alltoall");
        std::vector<T> out;
        for (int to = 0; to < group.size; ++to)
            std::ranges::copy(elements<T>(parcel(group.rank, to), count), std::back_inserter(out));
        auto in = space(group.size, count);
        MPI_Alltoall(out.data(), count, type, in.data(), count, type, group.comm);
        auto length = static_cast<size_t>(count);
        expect_elements(
            check, in,
            [&](size_t i) {
                return element<T>(parcel(static_cast<int>(i / length), group.rank), i % length);
            },
            at("alltoall"));
    }

    void uneven_alltoall() {
        check.step("MPI_Alltoallv");
        Layout out_layout, in_layout;
        std::vector<T> out, wanted;
        auto append = [](Layout& layout, std::vector<T>& data, const std::vector<T>& parcel) {
            layout.lengths.push_back(static_cast<int>(parcel.size()));
            layout.offsets.push_back(static_cast<int>(data.size()));
            std::ranges::copy(parcel, std::back_inserter(data));
        };
        for (int peer = 0; peer < group.size; ++peer) {
            append(out_layout, out,
                   elements<T>(parcel(group.rank, peer), share(group.rank + peer, count)));
            append(in_layout, wanted,
                   elements<T>(parcel(peer, group.rank), share(peer + group.rank, count)));
        }
        auto in = space(1, static_cast<int>(wanted.size()));
        MPI_Alltoallv(out.data(), out_layout.lengths.data(), out_layout.offsets.data(), type,
                      in.data(), in_layout.lengths.data(), in_layout.offsets.data(), type,
                      group.comm);
        expect_elements(
            check, in, [&](size_t i) { return wanted[i]; }, at("alltoallv"));
    }

    Check& check;
    const Group& group;
    int count;
    uint64_t base;
    MPI_Datatype type = Element<T>::type();
};

// Columns of a matrix: nothing of such a message lies together in memory.
void broadcast_column(Check& check, const Group& group, int rows) {
    check.step("MPI_Bcast of a strided type");
    constexpr size_t columns = 5;
    MPI_Datatype column = MPI_DATATYPE_NULL;
    MPI_Type_vector(rows, 1, columns, MPI_INT32_T, &column);
    MPI_Type_commit(&column);
    std::vector<int32_t> matrix(static_cast<size_t>(rows) * columns, -1);
    if (group.rank == 0)
        for (size_t row = 0; row < static_cast<size_t>(rows); ++row)
            matrix[row * columns + 2] = element<int32_t>(check.seed, row);
    if (rows > 0) MPI_Bcast(&matrix[2], 1, column, 0, group.comm);
    expect_elements(
        check, matrix,
        [&](size_t i) { return i % columns == 2 ? element<int32_t>(check.seed, i / columns) : -1; },
        "strided broadcast on " + group.name);
    MPI_Type_free(&column);
}

// A different type for every pair.
void mixed_alltoall(Check& check, const Group& group) {
    check.step("MPI_Alltoallw");
    auto peers = static_cast<size_t>(group.size);
    std::vector<int> lengths(peers), offsets(peers);
    std::vector<MPI_Datatype> types(peers);
    constexpr int stride = 8 * 512;
    for (size_t peer = 0; peer < peers; ++peer) {
        bool wide = (peer + static_cast<size_t>(group.rank)) % 2 == 1; // both ends agree
        types[peer] = wide ? MPI_INT64_T : MPI_UINT8_T;
        lengths[peer] = wide ? 511 : 333;
        offsets[peer] = static_cast<int>(peer) * stride;
    }
    Bytes out(peers * stride), in(peers * stride);
    auto bytes = [&](size_t peer) { return types[peer] == MPI_INT64_T ? 511U * 8 : 333U; };
    for (size_t peer = 0; peer < peers; ++peer)
        fill({&out[peer * stride], bytes(peer)}, stream_of(check.seed, group.rank, peer));
    MPI_Alltoallw(out.data(), lengths.data(), offsets.data(), types.data(), in.data(),
                  lengths.data(), offsets.data(), types.data(), group.comm);
    for (size_t peer = 0; peer < peers; ++peer)
        check.expect_data({&in[peer * stride], bytes(peer)},
                          stream_of(check.seed, peer, group.rank), "alltoallw on " + group.name);
}

// The two halves of the job, as an intercommunicator.
void across_groups(Check& check) {
    check.step("intercommunicator");
    int side = check.rank % 2, rank = 0;
    MPI_Comm local = MPI_COMM_NULL, inter = MPI_COMM_NULL;
    MPI_Comm_split(check.comm, side, check.rank, &local);
    MPI_Comm_rank(local, &rank);
    MPI_Intercomm_create(local, 0, check.comm, 1 - side, 7, &inter);

    int remote = 0;
    MPI_Comm_remote_size(inter, &remote);
    auto mine = elements<int64_t>(stream_of(check.seed, side, rank), 100);
    std::vector<int64_t> theirs(static_cast<size_t>(remote) * 100);
    MPI_Allgather(mine.data(), 100, MPI_INT64_T, theirs.data(), 100, MPI_INT64_T, inter);
    expect_elements(
        check, theirs,
        [&](size_t i) {
            return element<int64_t>(stream_of(check.seed, 1 - side, i / 100), i % 100);
        },
        "allgather between groups");
    MPI_Comm_free(&inter);
    MPI_Comm_free(&local);
}

// A ring of neighbours.
void neighbours(Check& check) {
    check.step("MPI_Neighbor_alltoall");
    int dims = check.size, periodic = 1;
    MPI_Comm ring = MPI_COMM_NULL;
    MPI_Cart_create(check.comm, 1, &dims, &periodic, 0, &ring);
    int left = 0, right = 0;
    MPI_Cart_shift(ring, 0, 1, &left, &right);
    int64_t out[2] = {check.rank * 10 + 1, check.rank * 10 + 2}, in[2] = {};
    // With two ranks both neighbours are the same, and which edge is which is not defined.
    if (check.size > 2) {
        MPI_Neighbor_alltoall(out, 1, MPI_INT64_T, in, 1, MPI_INT64_T, ring);
        check.expect(in[0] == left * 10 + 2 && in[1] == right * 10 + 1, "neighbours: %lld, %lld",
                     static_cast<long long>(in[0]), static_cast<long long>(in[1]));
    }
    MPI_Comm_free(&ring);
}

} // namespace

void check_collectives(Check& check) {
    Communicators communicators(check);
    for (const Group& group : communicators.groups) {
        check.step("MPI_Barrier");
        for (int i = 0; i < 20; ++i)
            MPI_Barrier(group.comm);
        bool first = &group == &communicators.groups.front();
        for (int count : first ? std::span<const int>(counts) : few_counts) {
            Movement<uint8_t>(check, group, count).run();
            if (first) {
                Movement<int32_t>(check, group, count).run();
                Movement<std::complex<double>>(check, group, count).run();
            }
            Movement<double>(check, group, count).run();
            broadcast_column(check, group, count);
        }
        mixed_alltoall(check, group);
    }
    across_groups(check);
    neighbours(check);
}

} // namespace rill_mpi
