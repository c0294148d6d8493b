// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace rill::sim {

// The bytes of a message are a function of its seed and the offset, so that neither side has to
// keep them.
void payload_fill(uint64_t seed, uint64_t offset, std::span<std::byte> out);
// The first offset that differs (counted in the message), or UINT64_MAX.
uint64_t payload_mismatch(uint64_t seed, uint64_t offset, std::span<const std::byte> bytes);
uint64_t payload_word(uint64_t seed, uint64_t index);

// What a receive buffer holds before anything arrives in it.
inline constexpr std::byte kUntouched{0xa5};

// A program's scatter list. Every piece is an allocation of its own size, so that a sanitizer sees
// one byte too many, and release() frees it the moment the program owns it again.
class Buffer {
public:
    void add_piece(size_t bytes);
    void release();

    const iovec* iov() const { return iov_.data(); }
    size_t count() const { return iov_.size(); }
    size_t bytes() const { return bytes_; }
    bool held() const { return !pieces_.empty(); }

    void fill(uint64_t seed);
    void fill_untouched();
    // As payload_mismatch() for the message that lies at `start`.
    uint64_t mismatch(uint64_t seed, uint64_t start, uint64_t length) const;
    // Whether nothing was written from `start` on.
    bool untouched_from(uint64_t start) const;
    // At most eight bytes, as a little-endian number.
    uint64_t peek_word(uint64_t start, size_t bytes) const;

private:
    std::vector<std::unique_ptr<std::byte[]>> pieces_;
    std::vector<iovec> iov_;
    size_t bytes_ = 0;
};

} // namespace rill::sim
