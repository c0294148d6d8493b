// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace rill::fi {

// An eventfd: readable from raise() until clear().
class WakeFd {
public:
    WakeFd() = default;
    WakeFd(WakeFd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    WakeFd& operator=(WakeFd&& o) noexcept {
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~WakeFd() {
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] bool open() {
        fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return fd_ >= 0;
    }
    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

    void raise() {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t sent = ::write(fd_, &one, sizeof one);
    }
    void clear() {
        uint64_t count;
        [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof count);
    }

private:
    int fd_ = -1;
};

} // namespace rill::fi
