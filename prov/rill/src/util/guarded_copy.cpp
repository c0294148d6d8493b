// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/guarded_copy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace rill {
namespace {

// Pieces that one call of the kernel copies: a call costs as much as copying 8 KiB.
constexpr size_t kPiecesPerCall = 128;

// A list of one call's.
struct Pieces {
    std::array<iovec, kPiecesPerCall> at;
    size_t count = 0;
    size_t bytes = 0;

    bool full() const { return count == at.size(); }
    void add(const void* start, size_t n) {
        at[count++] = {const_cast<void*>(start), n};
        bytes += n;
    }
    void clear() { count = bytes = 0; }
};

// The kernel faults in, and copies with checks, what is `local` here; the pages of `sound`, which
// are ours and there, it pins. The process id is asked for each time: a cached one would be the
// parent's in a forked child.
bool copy_in(const Pieces& local, const Pieces& sound) {
    return process_vm_readv(getpid(), local.at.data(), local.count, sound.at.data(), sound.count,
                            0) == static_cast<ssize_t>(local.bytes);
}

bool copy_out(const Pieces& sound, const Pieces& local) {
    return process_vm_writev(getpid(), local.at.data(), local.count, sound.at.data(), sound.count,
                             0) == static_cast<ssize_t>(local.bytes);
}

Pieces one(const void* at, size_t bytes) {
    Pieces pieces;
    pieces.add(at, bytes);
    return pieces;
}

// Whether all of the range is there, and each(...) answered true for every piece of it.
template <class Each>
bool all_pieces(IovView list, uint64_t offset, size_t bytes, Each&& each) {
    return for_pieces(list, offset, bytes, each) == bytes;
}

// Likewise for call(pieces, their position in the range), as many pieces at a time as there can be.
template <class Call>
bool by_calls(IovView list, uint64_t offset, size_t bytes, Call&& call) {
    Pieces pieces;
    size_t first = 0;
    const bool all =
        all_pieces(list, offset, bytes, [&](const std::byte* at, size_t pos, size_t n) {
            if (pieces.full()) {
                if (!call(pieces, first)) return false;
                pieces.clear();
                first = pos;
            }
            pieces.add(at, n);
            return true;
        });
    return all && call(pieces, first);
}

// One read of a file from one piece's source to another's: what lies between them, the headers of
// packets, goes nowhere.
class FileRead {
public:
    explicit FileRead(const FileMemory& file) : file_(file) {}

    // False: it does not fit into this read.
    bool add(const GuardedPiece& piece) {
        if (pieces_.count == 0) start_ = piece.from;
        const std::byte* const end = start_ + pieces_.bytes;
        if (piece.from < end || piece.from - end > static_cast<ptrdiff_t>(nowhere_.size()) ||
            pieces_.count + 2 > pieces_.at.size())
            return false;
        if (piece.from != end) pieces_.add(nowhere_.data(), static_cast<size_t>(piece.from - end));
        pieces_.add(piece.to, piece.bytes);
        return true;
    }
    bool copy() {
        const bool all = preadv(file_.fd, pieces_.at.data(), static_cast<int>(pieces_.count),
                                start_ - file_.base) == static_cast<ssize_t>(pieces_.bytes);
        pieces_.clear();
        return all;
    }

private:
    const FileMemory& file_;
    Pieces pieces_;
    const std::byte* start_ = nullptr;
    std::array<std::byte, 256> nowhere_;
};

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
    return copy_in(one(&to, 1), one(&from, 1)) && to == from &&
           copy_out(one(&to, 1), one(&from, 1));
}

bool guarded_scatter(std::span<const GuardedPiece> all) {
    Pieces to, from;
    for (const GuardedPiece& piece : all) {
        if (to.full()) {
            if (!copy_in(to, from)) return false;
            to.clear();
            from.clear();
        }
        to.add(piece.to, piece.bytes);
        from.add(piece.from, piece.bytes);
    }
    return copy_in(to, from);
}

bool guarded_scatter(std::span<const GuardedPiece> pieces, const FileMemory* file) {
    const auto outside = [&](const GuardedPiece& p) { return !file->holds(p.from, p.bytes); };
    if (!file || pieces.empty() || std::any_of(pieces.begin(), pieces.end(), outside))
        return guarded_scatter(pieces);
    FileRead read(*file);
    for (const GuardedPiece& piece : pieces) {
        if (read.add(piece)) continue;
        if (!read.copy() || !read.add(piece)) return false;
    }
    return read.copy();
}

bool guarded_gather(IovView list, uint64_t offset, std::span<std::byte> out) {
    return by_calls(list, offset, out.size(), [&](const Pieces& pieces, size_t first) {
        return copy_out(one(out.data() + first, pieces.bytes), pieces);
    });
}

bool is_writable(const std::byte* at, size_t bytes) {
    return for_pages(at, bytes, touch_word);
}

bool is_readable(const std::byte* at, size_t bytes) {
    return for_pages(at, bytes, [](uintptr_t word) {
        std::byte seen;
        return copy_out(one(&seen, 1), one(reinterpret_cast<const void*>(word), 1));
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
