// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A message longer than its buffer: an error for that receive, and no harm to anything else.

#include "check.hpp"

#include <algorithm>

namespace rill_mpi {
namespace {

constexpr size_t sent_sizes[] = {1, 9, 1000, 20000, 300000, 4000000};
constexpr std::byte untouched{0x5a};
constexpr size_t guard_bytes = 4096;

class ReturnedErrors {
public:
    explicit ReturnedErrors(MPI_Comm comm_) : comm(comm_) {
        MPI_Comm_get_errhandler(comm, &before);
        MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    }
    ~ReturnedErrors() {
        MPI_Comm_set_errhandler(comm, before);
        MPI_Errhandler_free(&before);
    }
    ReturnedErrors(const ReturnedErrors&) = delete;
    ReturnedErrors& operator=(const ReturnedErrors&) = delete;

private:
    MPI_Comm comm;
    MPI_Errhandler before = MPI_ERRHANDLER_NULL;
};

int class_of(int code) {
    int error_class = MPI_SUCCESS;
    MPI_Error_class(code, &error_class);
    return error_class;
}

// Every rank sends right and receives from the left: one message too long, then one that fits,
// with the same envelope.
void one(Check& check, size_t bytes, size_t room, bool posted_first) {
    constexpr int tag = 6;
    int right = (check.rank + 1) % check.size, left = (check.rank + check.size - 1) % check.size;
    Bytes out(bytes), next_out(64), in(room + guard_bytes, untouched), next_in(64);
    fill(out, stream_of(check.seed, check.rank, bytes));
    fill(next_out, stream_of(check.seed, check.rank, bytes, 1));

    MPI_Request receive = MPI_REQUEST_NULL, sends[2];
    auto post = [&] {
        MPI_Irecv(in.data(), static_cast<int>(room), MPI_BYTE, left, tag, check.comm, &receive);
    };
    if (posted_first) post();
    MPI_Barrier(check.comm);
    MPI_Isend(out.data(), static_cast<int>(bytes), MPI_BYTE, right, tag, check.comm, &sends[0]);
    MPI_Isend(next_out.data(), 64, MPI_BYTE, right, tag, check.comm, &sends[1]);
    MPI_Barrier(check.comm);
    if (!posted_first) post();

    const char* order = posted_first ? "posted first" : "sent first";
    check.step("%zu B into %zu, %s", bytes, room, order);
    MPI_Status status{};
    int code = MPI_Wait(&receive, &status);
    check.expect(class_of(code) == MPI_ERR_TRUNCATE,
                 "%zu bytes into %zu (%s): error class %d instead of MPI_ERR_TRUNCATE", bytes, room,
                 order, class_of(code));
    bool beyond = std::any_of(in.begin() + static_cast<ptrdiff_t>(room), in.end(),
                              [](std::byte value) { return value != untouched; });
    check.expect(!beyond, "%zu bytes into %zu: written beyond the buffer", bytes, room);

    check.step("message after one of %zu B into %zu, %s", bytes, room, order);
    code = MPI_Recv(next_in.data(), 64, MPI_BYTE, left, tag, check.comm, &status);
    check.expect(code == MPI_SUCCESS, "the message after: error class %d", class_of(code));
    check.expect_data(next_in, stream_of(check.seed, left, bytes, 1), "the message after");
    check.step("send of %zu B into %zu, %s", bytes, room, order);
    code = MPI_Waitall(2, sends, MPI_STATUSES_IGNORE);
    check.expect(code == MPI_SUCCESS, "the truncated message's send: error class %d",
                 class_of(code));
}

} // namespace

void check_truncation(Check& check) {
    ReturnedErrors returned(check.comm);
    for (size_t bytes : sent_sizes)
        for (size_t room : {size_t{0}, bytes / 2, bytes - 1})
            for (bool posted_first : {true, false})
                one(check, bytes, room, posted_first);
}

} // namespace rill_mpi
