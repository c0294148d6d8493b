// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Windows: put, get and accumulate under fences, locks, and post and start.

#include "check.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

namespace rill_mpi {
namespace {

// Whose memory a window is of: the program's, or the library's.
enum class Memory { created, allocated };
constexpr Memory memories[] = {Memory::created, Memory::allocated};

// Starts as zeros on every rank.
template <class T>
class Window {
public:
    Window(Check& check, size_t count, Memory kind) {
        auto bytes = static_cast<MPI_Aint>(count * sizeof(T));
        if (kind == Memory::created) {
            own.resize(count);
            MPI_Win_create(own.data(), bytes, sizeof(T), MPI_INFO_NULL, check.comm, &window);
            memory = own;
            return;
        }
        T* base = nullptr;
        MPI_Win_allocate(bytes, sizeof(T), MPI_INFO_NULL, check.comm, &base, &window);
        memory = {base, count};
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, check.rank, 0, window);
        std::ranges::fill(memory, T{});
        MPI_Win_unlock(check.rank, window);
        MPI_Barrier(check.comm);
    }
    ~Window() { MPI_Win_free(&window); }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    std::span<T> memory;
    MPI_Win window = MPI_WIN_NULL;

private:
    std::vector<T> own;
};

// Up to several of the component's fragments.
constexpr size_t counts[] = {1, 100, 5000, 200000};

// Between ranks of one host, windows lie in shared memory under any component but pt2pt, and would
// say nothing about the provider; between hosts, rdma has them accessed by the provider itself.
bool provable(Check& check) {
    if (component_of("osc") == "pt2pt") return true;
    MPI_Comm host = MPI_COMM_NULL;
    int neighbours = 0;
    MPI_Comm_split_type(check.comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &neighbours);
    MPI_Comm_free(&host);
    bool remote = component_of("osc") == "rdma" && neighbours == 1;
    check.expect(remote, "windows lie in shared memory: run with --mca osc pt2pt, or with "
                         "--mca osc rdma and every rank on a host of its own");
    return remote;
}

int64_t value_at(const Check& check, int from, int to, size_t index) {
    return static_cast<int64_t>(stream_of(check.seed, from, to, index) >> 1);
}

std::vector<int64_t> values(const Check& check, int from, int to, size_t count) {
    std::vector<int64_t> all(count);
    for (size_t i = 0; i < count; ++i)
        all[i] = value_at(check, from, to, i);
    return all;
}

// Each rank has a section in the window of every other.
void puts_between_fences(Check& check, Memory memory, size_t count) {
    check.step("put between fences");
    auto ranks = static_cast<size_t>(check.size);
    Window<int64_t> window(check, ranks * count, memory);
    std::vector<std::vector<int64_t>> out;
    for (int to = 0; to < check.size; ++to)
        out.push_back(values(check, check.rank, to, count));
    MPI_Win_fence(0, window.window);
    for (int to = 0; to < check.size; ++to)
        MPI_Put(out[static_cast<size_t>(to)].data(), static_cast<int>(count), MPI_INT64_T, to,
                static_cast<MPI_Aint>(static_cast<size_t>(check.rank) * count),
                static_cast<int>(count), MPI_INT64_T, window.window);
    MPI_Win_fence(0, window.window);
    for (size_t i = 0; i < window.memory.size(); ++i)
        check.expect(window.memory[i] ==
                         value_at(check, static_cast<int>(i / count), check.rank, i % count),
                     "put: element %zu of %zu", i, window.memory.size());
}

void gets_between_fences(Check& check, Memory memory, size_t count) {
    check.step("get between fences");
    Window<int64_t> window(check, count, memory);
    std::ranges::copy(values(check, check.rank, 0, count), window.memory.begin());
    std::vector<std::vector<int64_t>> in(static_cast<size_t>(check.size),
                                         std::vector<int64_t>(count));
    MPI_Win_fence(0, window.window);
    for (int from = 0; from < check.size; ++from)
        MPI_Get(in[static_cast<size_t>(from)].data(), static_cast<int>(count), MPI_INT64_T, from, 0,
                static_cast<int>(count), MPI_INT64_T, window.window);
    MPI_Win_fence(0, window.window);
    for (int from = 0; from < check.size; ++from)
        check.expect(in[static_cast<size_t>(from)] == values(check, from, 0, count),
                     "get of %zu elements from rank %d", count, from);
}

void sums_between_fences(Check& check, Memory memory, size_t count) {
    check.step("accumulate between fences");
    Window<int64_t> window(check, count, memory);
    std::vector<int64_t> out(count);
    std::iota(out.begin(), out.end(), check.rank);
    MPI_Win_fence(0, window.window);
    for (int to = 0; to < check.size; ++to)
        MPI_Accumulate(out.data(), static_cast<int>(count), MPI_INT64_T, to, 0,
                       static_cast<int>(count), MPI_INT64_T, MPI_SUM, window.window);
    MPI_Win_fence(0, window.window);
    for (size_t i = 0; i < count; ++i) {
        int64_t wanted = static_cast<int64_t>(i) * check.size + check.size * (check.size - 1) / 2;
        check.expect(window.memory[i] == wanted, "sum: element %zu of %zu", i, count);
    }
}

// Nothing of a column lies together, on either side.
void strided_put(Check& check, Memory memory) {
    check.step("put of a strided type");
    constexpr int rows = 300, columns = 7;
    Window<int64_t> window(check, rows * columns, memory);
    std::ranges::fill(window.memory, -1);
    MPI_Datatype column = MPI_DATATYPE_NULL;
    MPI_Type_vector(rows, 1, columns, MPI_INT64_T, &column);
    MPI_Type_commit(&column);
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    auto out = values(check, check.rank, right, rows * columns);
    MPI_Win_fence(0, window.window);
    MPI_Put(&out[2], 1, column, right, 4, 1, column, window.window);
    MPI_Win_fence(0, window.window);
    for (size_t i = 0; i < window.memory.size(); ++i) {
        int64_t wanted = i % columns == 4 ? value_at(check, left, check.rank, i - 2) : -1;
        check.expect(window.memory[i] == wanted, "strided put: element %zu", i);
    }
    MPI_Type_free(&column);
}

// A put is seen by a later get of the same origin once it is flushed, the target doing nothing.
void flushed(Check& check, Memory memory, size_t count) {
    check.step("lock, put, flush, get, unlock");
    auto ranks = static_cast<size_t>(check.size);
    Window<int64_t> window(check, ranks * count, memory);
    MPI_Barrier(check.comm);
    for (int step = 1; step < check.size; ++step) {
        int to = (check.rank + step) % check.size;
        auto out = values(check, check.rank, to, count);
        std::vector<int64_t> in(count);
        auto at = static_cast<MPI_Aint>(static_cast<size_t>(check.rank) * count);
        auto length = static_cast<int>(count);
        MPI_Win_lock(MPI_LOCK_SHARED, to, 0, window.window);
        MPI_Put(out.data(), length, MPI_INT64_T, to, at, length, MPI_INT64_T, window.window);
        MPI_Win_flush(to, window.window);
        MPI_Get(in.data(), length, MPI_INT64_T, to, at, length, MPI_INT64_T, window.window);
        MPI_Win_unlock(to, window.window);
        check.expect(in == out, "flushed put of %zu elements to rank %d", count, to);
    }
    MPI_Barrier(check.comm);
}

// Read, add, write under an exclusive lock, by everybody at once.
void exclusive(Check& check, Memory memory) {
    check.step("exclusive lock");
    constexpr int turns = 30;
    Window<int64_t> window(check, 1, memory);
    MPI_Barrier(check.comm);
    for (int turn = 0; turn < turns; ++turn) {
        int64_t value = -1;
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, window.window);
        MPI_Get(&value, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, window.window);
        MPI_Win_flush(0, window.window);
        ++value;
        MPI_Put(&value, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, window.window);
        MPI_Win_unlock(0, window.window);
    }
    MPI_Barrier(check.comm);
    if (check.rank == 0) {
        int64_t value = -1;
        MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window.window);
        MPI_Get(&value, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, window.window);
        MPI_Win_unlock(0, window.window);
        check.expect(value == turns * check.size, "counter under a lock is %lld",
                     static_cast<long long>(value));
    }
    MPI_Barrier(check.comm);
}

void requests(Check& check, Memory memory) {
    check.step("rput and rget");
    constexpr size_t count = 2000;
    Window<int64_t> window(check, count, memory);
    int right = (check.rank + 1) % check.size;
    auto out = values(check, check.rank, right, count);
    std::vector<int64_t> in(count);
    MPI_Win_lock_all(0, window.window);
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Rput(out.data(), count, MPI_INT64_T, right, 0, count, MPI_INT64_T, window.window, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Win_flush(right, window.window);
    MPI_Rget(in.data(), count, MPI_INT64_T, right, 0, count, MPI_INT64_T, window.window, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Win_unlock_all(window.window);
    check.expect(in == out, "rget after rput");
    MPI_Barrier(check.comm);
}

void window_atomics(Check& check, Memory memory) {
    constexpr int turns = 100;
    Window<int64_t> window(check, 3, memory);
    MPI_Win_lock_all(0, window.window);

    check.step("fetch and add");
    int64_t one = 1, before = 0, last = -1;
    for (int turn = 0; turn < turns; ++turn) {
        MPI_Fetch_and_op(&one, &before, MPI_INT64_T, 0, 0, MPI_SUM, window.window);
        MPI_Win_flush(0, window.window);
        check.expect(before > last, "a shared counter went back to %lld",
                     static_cast<long long>(before));
        last = before;
    }

    check.step("compare and swap");
    for (int turn = 0; turn < turns; ++turn) {
        int64_t expected = 0;
        for (bool swapped = false; !swapped;) {
            int64_t next = expected + 1, found = 0;
            MPI_Compare_and_swap(&next, &expected, &found, MPI_INT64_T, 0, 1, window.window);
            MPI_Win_flush(0, window.window);
            swapped = found == expected;
            expected = found;
        }
    }

    check.step("get and accumulate");
    // Open MPI 4.1 passes MPI_MAX on to btl/ofi, which ends the job: it has sums only.
    const bool sums_only = component_of("osc") == "rdma";
    int64_t mine = check.rank, found = -1;
    MPI_Get_accumulate(&mine, 1, MPI_INT64_T, &found, 1, MPI_INT64_T, 0, 2, 1, MPI_INT64_T,
                       sums_only ? MPI_SUM : MPI_MAX, window.window);
    MPI_Win_flush(0, window.window);
    int64_t most = sums_only ? check.size * (check.size - 1) / 2 : check.size - 1;
    check.expect(found >= 0 && found <= most, "get and accumulate found %lld",
                 static_cast<long long>(found));
    MPI_Barrier(check.comm);

    check.step("the sums");
    int64_t sums[3] = {};
    MPI_Get_accumulate(nullptr, 0, MPI_INT64_T, sums, 3, MPI_INT64_T, 0, 0, 3, MPI_INT64_T,
                       MPI_NO_OP, window.window);
    MPI_Win_unlock_all(window.window);
    int64_t wanted = static_cast<int64_t>(turns) * check.size;
    check.expect(sums[0] == wanted, "fetch and add: %lld instead of %lld",
                 static_cast<long long>(sums[0]), static_cast<long long>(wanted));
    check.expect(sums[1] == wanted, "compare and swap: %lld instead of %lld",
                 static_cast<long long>(sums[1]), static_cast<long long>(wanted));
    check.expect(sums[2] == most, "get and accumulate: %lld instead of %lld",
                 static_cast<long long>(sums[2]), static_cast<long long>(most));
    MPI_Barrier(check.comm);
}

void post_start(Check& check, Memory memory) {
    check.step("post, start, complete, wait");
    constexpr size_t count = 3000;
    Window<int64_t> window(check, count, memory);
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    MPI_Group all = MPI_GROUP_NULL, origins = MPI_GROUP_NULL, targets = MPI_GROUP_NULL;
    MPI_Comm_group(check.comm, &all);
    MPI_Group_incl(all, 1, &left, &origins);
    MPI_Group_incl(all, 1, &right, &targets);
    for (int round = 0; round < 20; ++round) {
        auto out = values(check, check.rank, round, count);
        MPI_Win_post(origins, 0, window.window);
        MPI_Win_start(targets, 0, window.window);
        MPI_Put(out.data(), count, MPI_INT64_T, right, 0, count, MPI_INT64_T, window.window);
        MPI_Win_complete(window.window);
        MPI_Win_wait(window.window);
        check.expect(std::ranges::equal(window.memory, values(check, left, round, count)),
                     "put of round %d", round);
    }
    MPI_Group_free(&targets);
    MPI_Group_free(&origins);
    MPI_Group_free(&all);
}

} // namespace

void check_fence(Check& check) {
    if (!provable(check)) return;
    for (Memory memory : memories) {
        for (size_t count : counts) {
            puts_between_fences(check, memory, count);
            gets_between_fences(check, memory, count);
            sums_between_fences(check, memory, count);
        }
        strided_put(check, memory);
    }
}

void check_locks(Check& check) {
    if (!provable(check)) return;
    for (Memory memory : memories) {
        for (size_t count : counts)
            flushed(check, memory, count);
        exclusive(check, memory);
        requests(check, memory);
    }
}

void check_window_atomics(Check& check) {
    if (!provable(check)) return;
    for (Memory memory : memories)
        window_atomics(check, memory);
}

void check_post_start(Check& check) {
    if (!provable(check)) return;
    for (Memory memory : memories)
        post_start(check, memory);
}

} // namespace rill_mpi
