// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/shm/channel.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rill::link::shm {
namespace {

constexpr size_t kBytes = 2 * sizeof(RingMemory);
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

} // namespace

Fd Mapping::make() {
    Fd fd(memfd_create("rill", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd || ftruncate(fd.get(), kBytes) != 0 || fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0)
        return Fd();
    return fd;
}

Mapping::Mapping(Fd fd, RingMemory* rings)
    : fd_(std::move(fd)),
      rings_(rings), file_{fd_.get(), reinterpret_cast<const std::byte*>(rings), kBytes} {}

std::unique_ptr<Mapping> Mapping::of(Fd fd) {
    struct stat s;
    if (fstat(fd.get(), &s) != 0 || s.st_size != static_cast<off_t>(kBytes)) return nullptr;
    if ((fcntl(fd.get(), F_GET_SEALS) & kSeals) != kSeals) return nullptr;
    void* at = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (at == MAP_FAILED) return nullptr;
    return std::unique_ptr<Mapping>(new Mapping(std::move(fd), static_cast<RingMemory*>(at)));
}

Mapping::~Mapping() {
    munmap(rings_, kBytes);
}

Status Channel::send(const wire::TxTrain& train) {
    if (const Status s = writer_.write(train); !is_ok(s)) return s;
    if (writer_.wake_wanted()) {
        const char wake = 0;
        // No room means that wake-ups are waiting to be read; an error, that the peer is gone.
        (void)::send(socket_.get(), &wake, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return Status::ok;
}

bool Channel::drain_socket() {
    char wakes[64];
    for (;;) {
        const ssize_t got = recv(socket_.get(), wakes, sizeof wakes, MSG_DONTWAIT);
        if (got > 0) continue;
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

} // namespace rill::link::shm
