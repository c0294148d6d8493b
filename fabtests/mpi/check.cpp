// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

#include "check.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace rill_mpi {
namespace {

constexpr size_t reason_bytes_max = 512;

// For the signal handler and the MPI error handler, which are given nothing.
struct Running {
    const char* part = "";
    char step[128] = "";
    int rank = 0;
};

Running running;

// A hang is only broken from outside: mpirun ends the other ranks when this one is gone.
// (snprintf of strings and small numbers allocates nothing.)
void on_deadline(int) {
    char text[reason_bytes_max];
    int length = snprintf(text, sizeof text, "FAIL %s: rank %d did not finish in time: %s\n",
                          running.part, running.rank, running.step);
    if (write(STDOUT_FILENO, text, static_cast<size_t>(length)) != length) _exit(4);
    _exit(3);
}

void on_error(MPI_Comm* comm, int* code, ...) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(*code, text, &length);
    printf("FAIL %s: rank %d: %s: %s\n", running.part, running.rank, running.step, text);
    fflush(stdout);
    MPI_Abort(*comm, 2);
}

uint64_t word_at(uint64_t stream, size_t index) {
    return mix(stream + index * 0x9e3779b97f4a7c15U);
}

} // namespace

uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

void fill(std::span<std::byte> data, uint64_t stream) {
    for (size_t at = 0; at < data.size(); at += sizeof(uint64_t)) {
        uint64_t word = word_at(stream, at / sizeof(uint64_t));
        memcpy(&data[at], &word, std::min(sizeof word, data.size() - at));
    }
}

size_t first_difference(std::span<const std::byte> data, uint64_t stream) {
    for (size_t at = 0; at < data.size(); at += sizeof(uint64_t)) {
        uint64_t word = word_at(stream, at / sizeof(uint64_t));
        size_t length = std::min(sizeof word, data.size() - at);
        if (memcmp(&data[at], &word, length) == 0) continue;
        auto* wanted = reinterpret_cast<const std::byte*>(&word);
        return at + static_cast<size_t>(std::mismatch(wanted, wanted + length, &data[at]).first -
                                        wanted);
    }
    return data.size();
}

std::string component_of(const char* framework) {
    int index = 0, count = 0;
    MPI_T_cvar_handle handle;
    if (MPI_T_cvar_get_index(framework, &index) != MPI_SUCCESS ||
        MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) != MPI_SUCCESS)
        return "unknown";
    std::string value(static_cast<size_t>(count) + 1, '\0');
    MPI_T_cvar_read(handle, value.data());
    MPI_T_cvar_handle_free(&handle);
    return value.c_str();
}

Check::Check(const char* part, uint64_t seed_, int deadline_seconds) : seed(seed_) {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    running.part = part;
    running.rank = rank;
    step("start");

    MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
    MPI_Comm_create_errhandler(on_error, &handler);
    MPI_Comm_set_errhandler(comm, handler); // duplicates and splits of comm inherit it
    MPI_Errhandler_free(&handler);

    signal(SIGALRM, on_deadline);
    alarm(static_cast<unsigned>(deadline_seconds));
}

Check::~Check() {
    alarm(0);
    MPI_Comm_free(&comm);
}

void Check::step(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(running.step, sizeof running.step, format, arguments);
    va_end(arguments);
}

void Check::expect(bool holds, const char* format, ...) {
    if (holds || !reason.empty()) return;
    char text[reason_bytes_max];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reason = "rank " + std::to_string(rank) + ": " + running.step + ": " + text;
}

void Check::expect_data(std::span<const std::byte> data, uint64_t stream, const std::string& what) {
    size_t at = first_difference(data, stream);
    expect(at == data.size(), "%s: data differ at byte %zu of %zu", what.c_str(), at, data.size());
}

void Check::expect_status(const MPI_Status& status, int source, int tag, size_t bytes,
                          const char* what) {
    MPI_Count count = 0;
    MPI_Get_elements_x(&status, MPI_BYTE, &count);
    expect(status.MPI_SOURCE == source, "%s: source %d instead of %d", what, status.MPI_SOURCE,
           source);
    expect(status.MPI_TAG == tag, "%s: tag %d instead of %d", what, status.MPI_TAG, tag);
    expect(count == static_cast<MPI_Count>(bytes), "%s: %lld bytes instead of %zu", what,
           static_cast<long long>(count), bytes);
}

void Check::skip(std::string why) {
    skip_reason = std::move(why);
}

bool Check::report(double seconds) {
    step("report");
    enum Outcome { ok, skipped, failed };
    struct {
        int outcome;
        int rank;
    } mine{!reason.empty() ? failed : !skip_reason.empty() ? skipped : ok, rank}, worst{};
    MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);

    char text[reason_bytes_max] = "";
    snprintf(text, sizeof text, "%s", reason.empty() ? skip_reason.c_str() : reason.c_str());
    MPI_Bcast(text, sizeof text, MPI_CHAR, worst.rank, comm);
    if (rank == 0) {
        if (worst.outcome == failed)
            printf("FAIL %s: %s\n", running.part, text);
        else if (worst.outcome == skipped)
            printf("skip %s: %s\n", running.part, text);
        else
            printf("ok %s (%.1f s)\n", running.part, seconds);
        fflush(stdout);
    }
    return worst.outcome != failed;
}

} // namespace rill_mpi
