// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "obs/exporter.hpp"

#include "obs/export_reader.hpp"
#include "obs/process.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rill::obs {
namespace {

static_assert(kCounters <= kCountersMax && sizeof(Counters) == kCounters * sizeof(uint64_t));

// Devices of one process that are open at once and exported.
constexpr int kDevicesMax = 4096;
// Of a snapshot: some 300,000 paths.
constexpr size_t kAreaMax = size_t{64} << 20;

bool refuse(const std::string& what, std::string& error) {
    if (!error.empty()) error += "; ";
    error += what + ": " + std::strerror(errno);
    return false;
}

bool closed_to_others(const std::string& directory, std::string& error) {
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return refuse(directory, error);
    struct stat s;
    if (lstat(directory.c_str(), &s) != 0) return refuse(directory, error);
    if (S_ISDIR(s.st_mode) && s.st_uid == geteuid() && (s.st_mode & 0022) == 0) return true;
    errno = EPERM;
    return refuse(directory + " is no directory of this user alone", error);
}

template <size_t N>
void put(char (&field)[N], const std::string& text) {
    std::memcpy(field, text.data(), std::min(text.size(), N - 1));
}

} // namespace

std::unique_ptr<Exporter> Exporter::open(const std::vector<std::string>& directories,
                                         const Identity& identity, std::string& error) {
    for (const std::string& directory : directories) {
        std::unique_ptr<Exporter> exporter(new Exporter);
        if (!closed_to_others(directory, error)) continue;
        remove_stale(directory);
        if (exporter->make(directory, error) && exporter->fill(identity)) return exporter;
        if (exporter->file_) refuse(exporter->path_, error);
    }
    return nullptr;
}

bool Exporter::make(const std::string& directory, std::string& error) {
    const std::string stem = directory + "/" + std::to_string(getpid()) + "-";
    for (int n = 0; n < kDevicesMax && !file_; ++n) {
        const std::string path = stem + std::to_string(n);
        file_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file_)
            path_ = path;
        else if (errno != EEXIST)
            break;
    }
    return file_ || refuse(stem + "*", error);
}

bool Exporter::fill(const Identity& identity) {
    // Memory that is only promised would be a signal where the counters are.
    if ((errno = posix_fallocate(file_.get(), 0, kSnapshotAt)) != 0) return false;
    void* at = mmap(nullptr, kSnapshotAt, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (at == MAP_FAILED) return false;
    fixed_ = static_cast<std::byte*>(at);
    const std::string bell = path_ + kBellSuffix;
    unlink(bell.c_str()); // of a process that had our number
    if (mkfifo(bell.c_str(), 0600) != 0) return false;
    bell_ = Fd(::open(bell.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!bell_ || !reserve(sizeof(SnapshotHead))) return false;

    control_ = new (fixed_ + kControlAt) Control{};
    counters_ = new (fixed_ + kCountersAt) Counters;
    for (size_t i = 0; i < kCounters; ++i)
        std::strncpy(reinterpret_cast<char*>(fixed_ + kNamesAt + i * kNameBytes),
                     kCounterTable[i].name, kNameBytes - 1);
    Header& h = *new (fixed_) Header{};
    const ProcessId self = ProcessId::current();
    h.version = kLayoutVersion;
    h.counters = kCounters;
    h.pid = self.pid;
    h.start_ticks = self.start_ticks;
    h.pid_namespace = self.pid_namespace;
    h.uid = geteuid();
    put(h.program, program_of_current());
    put(h.device, identity.device);
    put(h.interface, identity.interface);
    return true;
}

Exporter::~Exporter() {
    if (!path_.empty()) {
        unlink((path_ + kBellSuffix).c_str());
        unlink(path_.c_str());
    }
    if (fixed_) munmap(fixed_, kSnapshotAt);
    if (!area_.empty()) munmap(area_.data(), area_.size());
}

void Exporter::announce(const AddressWords& address) {
    Header& h = *std::launder(reinterpret_cast<Header*>(fixed_));
    h.address = address;
    std::atomic_thread_fence(std::memory_order_release);
    std::memcpy(h.magic, kMagic, sizeof kMagic);
}

// Room for a snapshot of so many bytes, head included.
bool Exporter::reserve(size_t bytes) {
    if (bytes <= area_.size()) return true;
    if (bytes > kAreaMax) return false;
    size_t size = std::max(area_.size() * 2, 4 * kExportPage);
    while (size < bytes)
        size *= 2;
    if ((errno = posix_fallocate(file_.get(), kSnapshotAt, static_cast<off_t>(size))) != 0)
        return false;
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), kSnapshotAt);
    if (at == MAP_FAILED) return false;
    if (!area_.empty()) munmap(area_.data(), area_.size());
    area_ = {static_cast<std::byte*>(at), size};
    return true;
}

void Exporter::publish(Instant now) {
    answered_ = std::atomic_ref<uint32_t>(control_->wanted).load(std::memory_order_relaxed);
    const std::span<const std::byte> tables = snapshot_.bytes();
    const bool fits = reserve(sizeof(SnapshotHead) + tables.size());
    const size_t bytes = fits ? tables.size() : area_.size() - sizeof(SnapshotHead);
    SnapshotHead& head = *reinterpret_cast<SnapshotHead*>(area_.data());
    std::atomic_ref<uint64_t> sequence(head.sequence);
    const uint64_t before = sequence.load(std::memory_order_relaxed);
    sequence.store(before + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    head.at_ns = now.time_since_epoch().count();
    head.bytes = bytes;
    head.lost = tables.size() - bytes;
    std::memcpy(area_.data() + sizeof head, tables.data(), bytes);
    sequence.store(before + 2, std::memory_order_release);
}

void Exporter::answer(const Command& command, Status status) {
    commands_answered_ = command.number;
    std::atomic_ref<CommandAnswer>(control_->answer)
        .store({command.number, static_cast<uint32_t>(status)}, std::memory_order_release);
}

void Exporter::clear_bell() {
    char bytes[256];
    while (read(bell_.get(), bytes, sizeof bytes) == static_cast<ssize_t>(sizeof bytes))
        ;
}

} // namespace rill::obs
