// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/fd.hpp"
#include "util/file_memory.hpp"

#include <cstddef>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace rill::link {

// Where packets are received: pages of a file in memory, or plain ones where there can be none.
class ReceiveBuffers {
public:
    // Throws bad_alloc.
    explicit ReceiveBuffers(size_t bytes) : bytes_(bytes), fd_(memfd_create("rill", MFD_CLOEXEC)) {
        if (!fd_ || ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0 || !map(MAP_SHARED)) {
            fd_.reset();
            if (!map(MAP_PRIVATE | MAP_ANONYMOUS)) throw std::bad_alloc();
        }
    }
    ~ReceiveBuffers() { munmap(at_, bytes_); }
    ReceiveBuffers(const ReceiveBuffers&) = delete;
    ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

    std::byte* at(size_t offset) { return at_ + offset; }
    // Null: they are no file's.
    const FileMemory* file() const { return fd_ ? &file_ : nullptr; }

private:
    bool map(int flags) {
        void* at =
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd_.get(), 0);
        if (at == MAP_FAILED) return false;
        at_ = static_cast<std::byte*>(at);
        file_ = {fd_.get(), at_, bytes_};
        return true;
    }

    size_t bytes_;
    Fd fd_;
    std::byte* at_ = nullptr;
    FileMemory file_;
};

} // namespace rill::link
