// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Messages of one envelope match in the order in which they were sent, however differently they
// travel for their sizes.

#include "check.hpp"

#include <algorithm>

namespace rill_mpi {
namespace {

constexpr int messages = 1500; // to each neighbour
constexpr int tag = 8;

// On both sides of every limit that a provider is likely to have.
constexpr size_t sizes[] = {0,    1,     16,    64,    65,    192,    1000,   4096,
                            8192, 16384, 16400, 60000, 65536, 131072, 262145, 1000000};

size_t bytes_of(const Check& check, int from, int number) {
    uint64_t stream = stream_of(check.seed, from, number, 3);
    // The largest are rare, so that small ones have a chance to overtake them.
    size_t choices = stream % 8 == 0 ? std::size(sizes) : 11;
    return sizes[stream / 8 % choices];
}

enum class Receiving { posted, late, wildcard };

class Sequence {
public:
    explicit Sequence(Check& check_) : check(check_) {
        for (int number = 0; number < messages; ++number)
            out_bytes += bytes_of(check, check.rank, number);
        out.resize(out_bytes + 1);
    }

    void run(Receiving way) {
        MPI_Barrier(check.comm);
        if (way == Receiving::posted) post_receives();
        MPI_Barrier(check.comm);
        post_sends();
        if (way == Receiving::late) post_receives();
        if (way == Receiving::wildcard)
            receive_any();
        else
            complete_receives();
        MPI_Waitall(messages, sends.data(), MPI_STATUSES_IGNORE);
    }

private:
    [[nodiscard]] uint64_t content(int from, int number) const {
        return stream_of(check.seed, from, number, 4);
    }

    void post_sends() {
        sends.assign(messages, MPI_REQUEST_NULL);
        size_t at = 0;
        for (int number = 0; number < messages; ++number) {
            size_t bytes = bytes_of(check, check.rank, number);
            fill({&out[at], bytes}, content(check.rank, number));
            auto* request = &sends[static_cast<size_t>(number)];
            auto* send = number % 7 == 3 ? MPI_Issend : MPI_Isend;
            send(&out[at], static_cast<int>(bytes), MPI_BYTE, right, tag, check.comm, request);
            at += bytes;
        }
    }

    // Room for the largest in each: a message in the wrong place must show, not be truncated.
    void post_receives() {
        in.resize(messages);
        receives.assign(messages, MPI_REQUEST_NULL);
        for (size_t i = 0; i < messages; ++i) {
            in[i].resize(bytes_of(check, left, static_cast<int>(i)) + 1);
            MPI_Irecv(in[i].data(), static_cast<int>(in[i].size()), MPI_BYTE, left, tag, check.comm,
                      &receives[i]);
        }
    }

    void complete_receives() {
        std::vector<MPI_Status> statuses(messages);
        MPI_Waitall(messages, receives.data(), statuses.data());
        for (size_t i = 0; i < messages; ++i)
            verify(in[i], statuses[i], static_cast<int>(i));
    }

    void receive_any() {
        Bytes data(sizes[std::size(sizes) - 1]);
        for (int number = 0; number < messages; ++number) {
            MPI_Status status;
            MPI_Recv(data.data(), static_cast<int>(data.size()), MPI_BYTE, MPI_ANY_SOURCE,
                     MPI_ANY_TAG, check.comm, &status);
            verify(data, status, number);
        }
    }

    void verify(const Bytes& data, const MPI_Status& status, int number) {
        size_t bytes = bytes_of(check, left, number);
        std::string what = "message " + std::to_string(number);
        check.expect_status(status, left, tag, bytes, what.c_str());
        check.expect_data({data.data(), std::min(bytes, data.size())}, content(left, number), what);
    }

    Check& check;
    int right = (check.rank + 1) % check.size;
    int left = (check.rank + check.size - 1) % check.size;
    size_t out_bytes = 0;
    Bytes out;
    std::vector<Bytes> in;
    std::vector<MPI_Request> sends, receives;
};

} // namespace

void check_ordering(Check& check) {
    Sequence sequence(check);
    check.step("receives posted first");
    sequence.run(Receiving::posted);
    check.step("receives posted late");
    sequence.run(Receiving::late);
    check.step("wildcard receives");
    sequence.run(Receiving::wildcard);
}

} // namespace rill_mpi
