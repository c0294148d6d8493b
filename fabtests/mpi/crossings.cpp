// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Counts the one-sided operations on other ranks, through MPI's profiling interface, so that they
// can be compared with what the provider says it did. Windows here span all ranks in order.

#include "check.hpp"

namespace rill_mpi {
namespace {

Crossings mine;
int own_rank = -1;

bool crosses(int target) {
    if (own_rank < 0) PMPI_Comm_rank(MPI_COMM_WORLD, &own_rank);
    return target != own_rank;
}

} // namespace

Crossings all_crossings() {
    Crossings all;
    PMPI_Allreduce(&mine, &all, sizeof all / sizeof(int64_t), MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

} // namespace rill_mpi

using namespace rill_mpi;

int MPI_Put(const void* data, int count, MPI_Datatype type, int target, MPI_Aint place,
            int target_count, MPI_Datatype target_type, MPI_Win window) {
    mine.puts += crosses(target);
    return PMPI_Put(data, count, type, target, place, target_count, target_type, window);
}

int MPI_Rput(const void* data, int count, MPI_Datatype type, int target, MPI_Aint place,
             int target_count, MPI_Datatype target_type, MPI_Win window, MPI_Request* request) {
    mine.puts += crosses(target);
    return PMPI_Rput(data, count, type, target, place, target_count, target_type, window, request);
}

int MPI_Get(void* data, int count, MPI_Datatype type, int target, MPI_Aint place, int target_count,
            MPI_Datatype target_type, MPI_Win window) {
    mine.gets += crosses(target);
    return PMPI_Get(data, count, type, target, place, target_count, target_type, window);
}

int MPI_Rget(void* data, int count, MPI_Datatype type, int target, MPI_Aint place, int target_count,
             MPI_Datatype target_type, MPI_Win window, MPI_Request* request) {
    mine.gets += crosses(target);
    return PMPI_Rget(data, count, type, target, place, target_count, target_type, window, request);
}

int MPI_Fetch_and_op(const void* data, void* result, MPI_Datatype type, int target, MPI_Aint place,
                     MPI_Op op, MPI_Win window) {
    mine.atomics += crosses(target);
    return PMPI_Fetch_and_op(data, result, type, target, place, op, window);
}

int MPI_Compare_and_swap(const void* data, const void* compared, void* result, MPI_Datatype type,
                         int target, MPI_Aint place, MPI_Win window) {
    mine.atomics += crosses(target);
    return PMPI_Compare_and_swap(data, compared, result, type, target, place, window);
}
