// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "obs/export_reader.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rill::obs {
namespace {

// "4711-0" -> 4711; 0 for any other name.
int64_t pid_in(std::string_view name) {
    const size_t dash = name.find('-');
    if (dash == 0 || dash == name.npos || dash + 1 == name.size()) return 0;
    int64_t pid = 0;
    for (size_t i = 0; i < name.size(); ++i) {
        if (i == dash) continue;
        if (name[i] < '0' || name[i] > '9' || i > 18) return 0;
        if (i < dash) pid = pid * 10 + (name[i] - '0');
    }
    return pid;
}

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> d(opendir(directory.c_str()), closedir);
    while (const dirent* e = d ? readdir(d.get()) : nullptr)
        if (pid_in(e->d_name) != 0) names.emplace_back(e->d_name);
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
        return std::pair(pid_in(a), a) < std::pair(pid_in(b), b);
    });
    return names;
}

// Whose process it was stands at the same place in every version, and before the magic.
bool is_stale(const std::string& path, int64_t pid) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    Header h;
    if (!file || pread(file.get(), &h, sizeof h, 0) != static_cast<ssize_t>(sizeof h) ||
        h.pid != pid)
        return false;
    return !may_live({h.pid, h.start_ticks, h.pid_namespace});
}

} // namespace

bool ExportReader::open(const std::string& path, std::string& error) {
    path_ = path;
    name_ = path.substr(path.rfind('/') + 1);
    // Asking for a snapshot is writing; whoever may only read still sees the last one.
    file_ = Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file_) file_ = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file_) {
        error = path + ": " + std::strerror(errno);
        return false;
    }
    if (!read_at(0, &header_, sizeof header_) ||
        std::memcmp(header_.magic, kMagic, sizeof kMagic) != 0) {
        error = path + ": no export of rill, or not yet";
        return false;
    }
    if (header_.version == kLayoutVersion && header_.counters <= kCountersMax) return true;
    error = path + ": process " + std::to_string(header_.pid) + " exports version " +
            std::to_string(header_.version) + " of its state, and this program reads version " +
            std::to_string(kLayoutVersion) + ": use the one that was installed with its rill";
    return false;
}

bool ExportReader::read_at(size_t at, void* to, size_t bytes) const {
    return pread(file_.get(), to, bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes);
}

std::vector<std::pair<std::string, uint64_t>> ExportReader::counters() const {
    std::vector<uint64_t> values(header_.counters);
    std::vector<char> names(header_.counters * kNameBytes);
    if (!read_at(kCountersAt, values.data(), values.size() * sizeof values[0]) ||
        !read_at(kNamesAt, names.data(), names.size()))
        return {};
    std::vector<std::pair<std::string, uint64_t>> all;
    for (size_t i = 0; i < values.size(); ++i) {
        const char* name = names.data() + i * kNameBytes;
        all.emplace_back(std::string(name, strnlen(name, kNameBytes)), values[i]);
    }
    return all;
}

// False: the file is read-only to us.
template <class F>
bool ExportReader::with_control(F&& f) const {
    void* at = mmap(nullptr, kExportPage, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(),
                    static_cast<off_t>(kControlAt));
    if (at == MAP_FAILED) return false;
    f(*static_cast<Control*>(at));
    munmap(at, kExportPage);
    return true;
}

void ExportReader::ring() const {
    const Fd bell(::open((path_ + kBellSuffix).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (bell) [[maybe_unused]]
        const ssize_t rung = write(bell.get(), "", 1);
}

Status ExportReader::give(Command& command) {
    Status status = Status::bad_access;
    with_control([&](Control& control) {
        std::atomic_ref<Command> word(control.command);
        Command before = word.load();
        const uint32_t last = std::atomic_ref<CommandAnswer>(control.answer).load().number;
        command.number = static_cast<uint16_t>(before.number + 1);
        const bool idle = before.number == last && word.compare_exchange_strong(before, command);
        status = idle ? Status::ok : Status::busy;
    });
    if (is_ok(status)) ring();
    return status;
}

bool ExportReader::answered(const Command& command, Status& status) const {
    CommandAnswer answer{};
    with_control([&](Control& control) {
        answer = std::atomic_ref<CommandAnswer>(control.answer).load(std::memory_order_acquire);
    });
    if (answer.number != command.number) return false;
    status = static_cast<Status>(answer.status);
    return true;
}

bool ExportReader::take_back(const Command& command) {
    bool taken = false;
    with_control([&](Control& control) {
        Command given = command;
        const Command none{command.number, CommandKind::none, 0, 0};
        taken = std::atomic_ref<Command>(control.command).compare_exchange_strong(given, none);
    });
    return taken;
}

uint64_t ExportReader::request() {
    SnapshotHead head;
    if (!read_at(kSnapshotAt, &head, sizeof head)) return 0;
    if (!with_control(
            [](Control& control) { std::atomic_ref<uint32_t>(control.wanted).fetch_add(1); }))
        return 0;
    ring();
    // One that is being written now may have looked before we asked.
    return head.sequence + (head.sequence % 2 ? 3 : 2);
}

bool ExportReader::read(Tables& out) const {
    SnapshotHead before, after;
    if (!read_at(kSnapshotAt, &before, sizeof before) || before.sequence % 2) return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    struct stat s;
    if (fstat(file_.get(), &s) != 0 || before.bytes > static_cast<uint64_t>(s.st_size))
        return false;
    std::vector<std::byte> bytes(before.bytes);
    if (!read_at(kSnapshotAt + sizeof before, bytes.data(), bytes.size())) return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (!read_at(kSnapshotAt, &after, sizeof after) || after.sequence != before.sequence)
        return false;
    out = {before.sequence, before.at_ns, before.lost, std::move(bytes)};
    return true;
}

std::vector<std::string> list_exports(const std::string& directory) {
    remove_stale(directory);
    std::vector<std::string> paths;
    for (const std::string& name : names_in(directory))
        paths.push_back(directory + "/" + name);
    return paths;
}

void remove_stale(const std::string& directory) {
    for (const std::string& name : names_in(directory)) {
        const std::string path = directory + "/" + name;
        if (!is_stale(path, pid_in(name))) continue;
        unlink((path + kBellSuffix).c_str());
        unlink(path.c_str());
    }
}

} // namespace rill::obs
