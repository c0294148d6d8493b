// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// One message of every size that might be a limit, and one beyond what 31 bits can count.

#include "check.hpp"

#include <algorithm>
#include <fstream>
#include <memory>

namespace rill_mpi {
namespace {

constexpr size_t mebi = size_t{1} << 20;
constexpr size_t every_rank_bytes_max = 4 * mebi; // beyond, one pair at a time
constexpr size_t bytes_max = 64 * mebi;
constexpr std::byte untouched{0xa5};

std::vector<size_t> sizes_up_to(size_t limit) {
    std::vector<size_t> sizes{0};
    for (size_t power = 1; power <= limit; power *= 2)
        for (size_t bytes : {power - 1, power, power + 1})
            sizes.push_back(bytes);
    // Round a typical packet, and a kernel's longest datagram.
    for (size_t bytes : {1372, 1400, 1440, 1460, 1472, 1500, 8900, 8972, 9000, 65000, 65507})
        sizes.push_back(bytes);
    std::ranges::sort(sizes);
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

void expect_received(Check& check, const Bytes& data, size_t bytes, uint64_t stream) {
    std::string what = std::to_string(bytes) + " B";
    check.expect_data({data.data(), bytes}, stream, what);
    check.expect(data[bytes] == untouched, "%s: written beyond the message", what.c_str());
}

// Everybody to the right at once, at an odd address.
void round_the_ring(Check& check, size_t bytes) {
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes out(bytes + 1), in(bytes + 1, untouched);
    fill({&out[1], bytes}, stream_of(check.seed, check.rank, bytes));
    MPI_Status status;
    MPI_Sendrecv(&out[1], static_cast<int>(bytes), MPI_BYTE, right, 1, in.data(),
                 static_cast<int>(bytes), MPI_BYTE, left, 1, check.comm, &status);
    check.expect_status(status, left, 1, bytes, "size");
    expect_received(check, in, bytes, stream_of(check.seed, left, bytes));
}

// From the last rank to the first; sent before the receive is there every other time.
void one_pair(Check& check, size_t bytes, bool late) {
    Bytes data(bytes + 1, untouched);
    int last = check.size - 1;
    if (check.rank == last) {
        fill({data.data(), bytes}, stream_of(check.seed, bytes));
        MPI_Request send = MPI_REQUEST_NULL;
        if (late)
            MPI_Isend(data.data(), static_cast<int>(bytes), MPI_BYTE, 0, 2, check.comm, &send);
        MPI_Send(nullptr, 0, MPI_BYTE, 0, 3, check.comm);
        if (!late)
            MPI_Isend(data.data(), static_cast<int>(bytes), MPI_BYTE, 0, 2, check.comm, &send);
        MPI_Wait(&send, MPI_STATUS_IGNORE);
    } else if (check.rank == 0) {
        MPI_Request receive = MPI_REQUEST_NULL;
        if (late) MPI_Recv(nullptr, 0, MPI_BYTE, last, 3, check.comm, MPI_STATUS_IGNORE);
        MPI_Irecv(data.data(), static_cast<int>(bytes), MPI_BYTE, last, 2, check.comm, &receive);
        if (!late) MPI_Recv(nullptr, 0, MPI_BYTE, last, 3, check.comm, MPI_STATUS_IGNORE);
        MPI_Status status;
        MPI_Wait(&receive, &status);
        check.expect_status(status, last, 2, bytes, "size");
        expect_received(check, data, bytes, stream_of(check.seed, bytes));
    }
}

size_t available_bytes() {
    std::ifstream table("/proc/meminfo");
    std::string name;
    size_t kibi = 0;
    while (table >> name >> kibi) {
        if (name == "MemAvailable:") return kibi * 1024;
        table.ignore(100, '\n');
    }
    return 0;
}

constexpr size_t huge_bytes = 2048 * mebi + 3 * mebi + 12345;

// A count in MPI has 31 bits; a type of blocks and a rest says more, and lies together in memory.
MPI_Datatype huge_type() {
    MPI_Datatype block = MPI_DATATYPE_NULL, type = MPI_DATATYPE_NULL;
    MPI_Type_contiguous(mebi, MPI_BYTE, &block);
    int lengths[] = {huge_bytes / mebi, huge_bytes % mebi};
    MPI_Aint offsets[] = {0, huge_bytes / mebi * mebi};
    MPI_Datatype types[] = {block, MPI_BYTE};
    MPI_Type_create_struct(2, lengths, offsets, types, &type);
    MPI_Type_commit(&type);
    MPI_Type_free(&block);
    return type;
}

void huge(Check& check, bool late) {
    if (check.rank > 1) return;
    check.step("more than 2 GiB, %s first", late ? "sent" : "posted");
    auto memory = std::make_unique_for_overwrite<std::byte[]>(huge_bytes);
    std::span<std::byte> data{memory.get(), huge_bytes};
    MPI_Datatype type = huge_type();
    int peer = 1 - check.rank;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    if (check.rank == 1) {
        fill(data, stream_of(check.seed, late));
        if (!late) MPI_Recv(nullptr, 0, MPI_BYTE, peer, 5, check.comm, MPI_STATUS_IGNORE);
        MPI_Isend(data.data(), 1, type, peer, 4, check.comm, &request);
        if (late) MPI_Send(nullptr, 0, MPI_BYTE, peer, 5, check.comm);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    } else {
        std::ranges::fill(data.last(mebi), untouched);
        if (late) MPI_Recv(nullptr, 0, MPI_BYTE, peer, 5, check.comm, MPI_STATUS_IGNORE);
        MPI_Irecv(data.data(), 1, type, peer, 4, check.comm, &request);
        if (!late) MPI_Send(nullptr, 0, MPI_BYTE, peer, 5, check.comm);
        MPI_Wait(&request, &status);
        check.expect_status(status, peer, 4, huge_bytes, "more than 2 GiB");
        check.expect_data(data, stream_of(check.seed, late), "more than 2 GiB");
    }
    MPI_Type_free(&type);
}

} // namespace

void check_sizes(Check& check) {
    bool late = false;
    for (size_t bytes : sizes_up_to(bytes_max)) {
        if (bytes <= every_rank_bytes_max) {
            check.step("round the ring, %zu B", bytes);
            round_the_ring(check, bytes);
        }
        check.step("one pair, %zu B", bytes);
        one_pair(check, bytes, late = !late);
    }
}

void check_huge(Check& check) {
    // Both buffers, and as much again for what a provider may keep of an unexpected message.
    constexpr size_t needed_bytes = 2 * huge_bytes + huge_bytes / 2;
    size_t available = available_bytes();
    MPI_Bcast(&available, sizeof available, MPI_BYTE, 0, check.comm);
    if (available < needed_bytes) {
        check.skip(std::to_string(needed_bytes / mebi) + " MiB of memory needed, " +
                   std::to_string(available / mebi) + " MiB available");
        return;
    }
    huge(check, false);
    huge(check, true);
    check.step("waiting for the pair");
    MPI_Barrier(check.comm);
}

} // namespace rill_mpi
