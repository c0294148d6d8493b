// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Copies into and out of memory that may not be there: what a program registered may have been
// unmapped or made read-only since. The kernel does the copying, so that a bad page is an answer and
// not a signal: process_vm_readv and process_vm_writev on ourselves, or a read of the file that our
// side of the copy lies in, which costs less (docs/device.md).

#include "util/file_memory.hpp"
#include "util/iov.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rill {

// Whether the kernel lets us: a sandbox may forbid these calls.
bool guarded_copies_work();

struct GuardedPiece {
    std::byte* to = nullptr;
    const std::byte* from = nullptr;
    size_t bytes = 0;
};
// Copies done together: fewer calls of the kernel. false: part of the memory cannot be written; any
// of the bytes may have been.
[[nodiscard]] bool guarded_scatter(std::span<const GuardedPiece> pieces);
// Likewise of pieces whose `from` lies in the file's memory; null: in none.
[[nodiscard]] bool guarded_scatter(std::span<const GuardedPiece> pieces, const FileMemory* file);

// Copies the bytes [offset, offset + out.size()) of the list, which must cover them. false: part of
// the memory cannot be read.
[[nodiscard]] bool guarded_gather(IovView list, uint64_t offset, std::span<std::byte> out);

// Whether a range can be written now, or read now. Its content stays as it is.
[[nodiscard]] bool is_writable(const std::byte* at, size_t bytes);
[[nodiscard]] bool is_readable(const std::byte* at, size_t bytes);

// Likewise of bytes of a list.
[[nodiscard]] bool is_writable(IovView list, uint64_t offset, size_t bytes);
[[nodiscard]] bool is_readable(IovView list, uint64_t offset, size_t bytes);

} // namespace rill
