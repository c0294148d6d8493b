// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/shared_addresses.hpp"

#include "fi/log.hpp"

#include <rdma/fi_errno.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <type_traits>
#include <unistd.h>

namespace rill::fi {

namespace {

constexpr size_t kNameMax = 128;
constexpr uint32_t kMagic = 0x72694176; // changes with the layout

int refuse(const std::string& path, const char* what, int code) {
    warn(FI_LOG_AV, "shared address vector " + path + ": " + what);
    return -code;
}

// One byte of the object stands for the right to append.
void lock_byte(int fd, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = 0;
    lock.l_len = 1;
    while (fcntl(fd, F_OFD_SETLKW, &lock) < 0 && errno == EINTR) {
    }
}

} // namespace

// Written once by who creates it (magic, family), then under the lock of the byte. An entry is
// complete before `count` includes it. Pages that nobody touches take no memory.
struct SharedAddresses::Table {
    uint32_t magic;
    uint32_t family;
    std::atomic<uint32_t> count;
    uint64_t indices[kCapacity];
    wire::Address addresses[kCapacity];
};

int SharedAddresses::open(const std::string& name, const std::string& domain, wire::Family family,
                          bool create, std::unique_ptr<SharedAddresses>& out) {
    static_assert(std::is_trivially_copyable_v<wire::Address>);
    if (name.empty() || name.size() > kNameMax || name.find('/') != std::string::npos) {
        warn(FI_LOG_AV, "\"" + name + "\" cannot name a shared address vector");
        return -FI_EINVAL;
    }
    const std::string path = "/rill-av-" + std::to_string(getuid()) + "-" + domain + "-" + name;
    for (;;) {
        const int fd = shm_open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
        if (fd < 0) return refuse(path, std::strerror(errno), errno);
        std::unique_ptr<SharedAddresses> made(new SharedAddresses(path, fd));
        const bool alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
        struct stat now {};
        if (fstat(fd, &now) < 0 || now.st_nlink == 0) continue; // removed meanwhile: another one
        if (alone && !create) return refuse(path, "nobody has it open", FI_ENOENT);
        if (const int failed = made->map(family, alone)) return failed;
        flock(fd, LOCK_SH);                                     // now others may look at it
        if (fstat(fd, &now) < 0 || now.st_nlink == 0) continue; // while we waited for its creator
        if (made->table_->magic != kMagic || made->table_->family != static_cast<uint32_t>(family))
            return refuse(path, "of another address format", FI_EINVAL);
        out = std::move(made);
        return 0;
    }
}

int SharedAddresses::map(wire::Family family, bool fresh) {
    if (fresh && (ftruncate(fd_, 0) < 0 || ftruncate(fd_, sizeof(Table)) < 0))
        return refuse(path_, std::strerror(errno), errno);
    // Not fresh: whoever created it had it in full size before it let go of the exclusive lock.
    if (!fresh) flock(fd_, LOCK_SH);
    void* at = mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (at == MAP_FAILED) return refuse(path_, std::strerror(errno), errno);
    table_ = static_cast<Table*>(at);
    if (fresh) {
        table_->family = static_cast<uint32_t>(family);
        table_->magic = kMagic;
    }
    return 0;
}

SharedAddresses::~SharedAddresses() {
    if (table_) munmap(table_, sizeof(Table));
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0) shm_unlink(path_.c_str());
    close(fd_);
}

uint32_t SharedAddresses::size() const {
    const uint32_t count = table_->count.load(std::memory_order_acquire);
    return count < kCapacity ? count : kCapacity;
}

wire::Address SharedAddresses::at(uint32_t index) const {
    return table_->addresses[index];
}

void* SharedAddresses::map_address() const {
    return table_->indices;
}

bool SharedAddresses::append(const wire::Address& address) {
    const uint32_t index = size();
    if (index >= kCapacity) return false;
    table_->indices[index] = index;
    table_->addresses[index] = address;
    table_->count.store(index + 1, std::memory_order_release);
    return true;
}

SharedAddresses::Writing::Writing(SharedAddresses& of) : of_(of) {
    lock_byte(of_.fd_, F_WRLCK);
}

SharedAddresses::Writing::~Writing() {
    lock_byte(of_.fd_, F_UNLCK);
}

} // namespace rill::fi
