// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/guarded_copy.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace rill {
namespace {

// The kernel faults in, and copies with checks, what is `local` here; the pages of `sound`, which
// are ours and there, it pins. The process id is asked for each time: a cached one would be the
// parent's in a forked child.
bool copy_in(std::byte* local, const std::byte* sound, size_t bytes) {
    const iovec to{local, bytes};
    const iovec from{const_cast<std::byte*>(sound), bytes};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == static_cast<ssize_t>(bytes);
}

bool copy_out(std::byte* sound, const std::byte* local, size_t bytes) {
    const iovec from{const_cast<std::byte*>(local), bytes};
    const iovec to{sound, bytes};
    return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == static_cast<ssize_t>(bytes);
}

// Whether all of the range is there, and each(...) answered true for every piece of it.
template <class Each>
bool all_pieces(IovView list, uint64_t offset, size_t bytes, Each&& each) {
    return for_pieces(list, offset, bytes, each) == bytes;
}

// Smallest page of any Linux system: looking at one word in each of them is enough.
constexpr uintptr_t kPage = 4096;

// Adds 0 to the word, atomically and by the kernel (futex(2), FUTEX_WAKE_OP): the one access that
// asks for write permission and changes nothing.
bool touch_word(uintptr_t word) {
    static uint32_t nobody_waits = 0;
    const int operation = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0);
    for (;;) {
        const long woken = syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0,
                                   0L, reinterpret_cast<void*>(word), operation);
        if (woken >= 0) return true;
        if (errno != EAGAIN && errno != EINTR) return false;
    }
}

template <class Probe>
bool for_pages(const std::byte* at, size_t bytes, Probe&& probe) {
    if (bytes == 0) return true;
    const auto first = reinterpret_cast<uintptr_t>(at);
    const uintptr_t last = first + bytes - 1;
    if (last < first) return false;
    for (uintptr_t page = first & ~(kPage - 1);; page += kPage) {
        if (!probe(std::max(page, first & ~uintptr_t{3}))) return false;
        if (last - page < kPage) return true;
    }
}

} // namespace

bool guarded_copies_work() {
    std::byte from{1}, to{0};
    return copy_in(&to, &from, 1) && to == from && copy_out(&to, &from, 1);
}

bool guarded_scatter(IovView list, uint64_t offset, std::span<const std::byte> data) {
    return all_pieces(list, offset, data.size(), [&](std::byte* at, size_t pos, size_t n) {
        return copy_in(at, data.data() + pos, n);
    });
}

bool guarded_gather(IovView list, uint64_t offset, std::span<std::byte> out) {
    return all_pieces(list, offset, out.size(), [&](const std::byte* at, size_t pos, size_t n) {
        return copy_out(out.data() + pos, at, n);
    });
}

bool is_writable(const std::byte* at, size_t bytes) {
    return for_pages(at, bytes, touch_word);
}

bool is_readable(const std::byte* at, size_t bytes) {
    return for_pages(at, bytes, [](uintptr_t word) {
        std::byte seen;
        return copy_out(&seen, reinterpret_cast<const std::byte*>(word), 1);
    });
}

bool is_writable(IovView list, uint64_t offset, size_t bytes) {
    return all_pieces(list, offset, bytes,
                      [](const std::byte* at, size_t, size_t n) { return is_writable(at, n); });
}

bool is_readable(IovView list, uint64_t offset, size_t bytes) {
    return all_pieces(list, offset, bytes,
                      [](const std::byte* at, size_t, size_t n) { return is_readable(at, n); });
}

} // namespace rill
