// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The sender: reads files and sends their blocks, each entry behind its content.
#include "checkpoint/commands.hpp"
#include "checkpoint/fabric.hpp"
#include "checkpoint/messages.hpp"
#include "checkpoint/snapshot.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace checkpoint {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBlocks = 4;   // in flight
constexpr size_t kEntries = 16; // likewise
constexpr int kBusyMs = 600000; // a receiver may have others to serve first

struct Buffer {
    Operation operation;
    std::vector<std::byte> bytes;
};

uint64_t new_session() {
    std::random_device random;
    return (uint64_t{random()} << 32 | random()) >> 8;
}

class Sender {
public:
    Sender(const std::string& host, const std::string& port, bool progress)
        : fabric_(host, port, false), progress_(progress) {
        fabric_.open_endpoint();
        to_ = fabric_.destination();
        for (Buffer& b : blocks_)
            b.bytes.resize(kBlockBytes);
        for (Buffer& e : entries_)
            e.bytes.resize(kEntryBytesMax);
    }

    Reply run(const std::string& snapshot, const std::vector<std::string>& paths) {
        greet(snapshot);
        fabric_.receive(&reply_, sizeof reply_, to_, tag_of(Kind::reply, session_),
                        reply_operation_);
        for (const std::string& path : paths)
            add(path);
        EntryHeader end;
        end.kind = EntryKind::end;
        end.number = number_;
        send_entry(end, "", "");
        wait(reply_operation_, -1);
        show(true);
        return reply_;
    }

private:
    void greet(const std::string& snapshot) {
        Hello hello;
        hello.session = session_;
        const std::vector<char> name = fabric_.name();
        if (name.size() > sizeof hello.address || snapshot.size() >= sizeof hello.snapshot)
            throw Failure("the snapshot's name is too long");
        std::copy(name.begin(), name.end(), hello.address);
        std::copy(snapshot.begin(), snapshot.end(), hello.snapshot);
        Operation operation;
        fabric_.receive(&reply_, sizeof reply_, to_, tag_of(Kind::reply, session_),
                        reply_operation_);
        fabric_.send(&hello, sizeof hello, to_, tag_of(Kind::hello), operation);
        wait(reply_operation_, kBusyMs);
        while (operation.flying)
            pass(-1);
    }

    // A path and all below it, by the names that it has there. The current directory has none itself.
    void add(const fs::path& path) {
        const fs::path given = path.lexically_normal();
        const fs::path top = given.has_filename() ? given : given.parent_path();
        const auto name = [&](const fs::path& p) { return p.lexically_normal().relative_path(); };
        if (top != "." && !is_safe(name(top)))
            throw Failure(path.string() + " leads out of the current directory");
        if (top != ".") add_one(top, name(top).native());
        if (!fs::is_directory(fs::symlink_status(top))) return;
        for (const auto& entry : fs::recursive_directory_iterator(top))
            add_one(entry.path(), name(entry.path()).native());
    }

    void add_one(const fs::path& path, const std::string& name) {
        struct stat status;
        if (::lstat(path.c_str(), &status) != 0)
            throw Failure(path.string() + " cannot be looked at");
        EntryHeader header;
        header.mode = status.st_mode & 07777;
        header.number = number_;
        header.seconds = status.st_mtim.tv_sec;
        header.nanoseconds = status.st_mtim.tv_nsec;
        std::string target;
        if (S_ISREG(status.st_mode)) {
            header.kind = EntryKind::file;
            header.bytes = send_content(path);
        } else if (S_ISDIR(status.st_mode)) {
            header.kind = EntryKind::directory;
        } else if (S_ISLNK(status.st_mode)) {
            header.kind = EntryKind::symlink;
            target = fs::read_symlink(path).native();
        } else {
            std::fprintf(stderr, "%s is neither file, directory nor link: left out\n",
                         path.c_str());
            return;
        }
        send_entry(header, name, target);
        ++number_;
    }

    // Returns what was there: a file may grow or shrink meanwhile.
    uint64_t send_content(const fs::path& path) {
        const File file(path, O_RDONLY);
        uint64_t bytes = 0;
        for (uint64_t block = 0;; ++block) {
            Buffer& buffer = free_one(blocks_);
            size_t got = 0;
            while (got < kBlockBytes) {
                const ssize_t n = ::read(file.fd(), buffer.bytes.data() + got, kBlockBytes - got);
                if (n < 0) throw Failure(path.string() + " cannot be read");
                if (n == 0) break;
                got += static_cast<size_t>(n);
            }
            if (got == 0) return bytes;
            fabric_.send_data(buffer.bytes.data(), got, number_ << kBlockBits | block, to_,
                              tag_of(Kind::block, session_), buffer.operation);
            bytes += got;
            sent_ += got;
            show(false);
            if (got < kBlockBytes) return bytes;
        }
    }

    void send_entry(EntryHeader header, const std::string& path, const std::string& target) {
        if (sizeof header + path.size() + target.size() > kEntryBytesMax)
            throw Failure(path + " is too long a name");
        header.path_bytes = static_cast<uint32_t>(path.size());
        header.target_bytes = static_cast<uint32_t>(target.size());
        Buffer& buffer = free_one(entries_);
        std::byte* at = buffer.bytes.data();
        std::memcpy(at, &header, sizeof header);
        std::memcpy(at + sizeof header, path.data(), path.size());
        std::memcpy(at + sizeof header + path.size(), target.data(), target.size());
        fabric_.send(at, sizeof header + path.size() + target.size(), to_,
                     tag_of(Kind::entry, session_), buffer.operation);
    }

    template <size_t N>
    Buffer& free_one(std::array<Buffer, N>& buffers) {
        for (;;) {
            for (Buffer& b : buffers)
                if (!b.operation.flying) return b;
            pass(-1);
        }
    }

    void pass(int milliseconds) {
        const std::optional<Event> event = fabric_.next(milliseconds);
        if (event && event->error)
            throw Failure(std::string("the receiver: ") + fi_strerror(event->error));
        const bool answered = event && event->operation == &reply_operation_;
        if (answered && reply_.answer == Answer::refused)
            throw Failure(std::string("refused: ") + reply_.text);
    }

    void wait(const Operation& operation, int milliseconds) {
        const auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
        while (operation.flying) {
            pass(500);
            if (milliseconds >= 0 && Clock::now() > until)
                throw Failure("the receiver does not answer");
        }
    }

    void show(bool last) {
        const auto now = Clock::now();
        if (!progress_ || (!last && now - shown_ < std::chrono::milliseconds(500))) return;
        shown_ = now;
        const double seconds = std::chrono::duration<double>(now - began_).count();
        const double mib = static_cast<double>(sent_) / (1 << 20);
        std::fprintf(stderr, "\r%llu entries, %.1f MiB, %.1f MiB/s%s",
                     static_cast<unsigned long long>(number_), mib, mib / seconds,
                     last ? "\n" : "");
    }

    // What messages lie in outlives the endpoint.
    std::array<Buffer, kBlocks> blocks_;
    std::array<Buffer, kEntries> entries_;
    Reply reply_;
    Operation reply_operation_;
    Fabric fabric_;
    const bool progress_;
    const uint64_t session_ = new_session();
    fi_addr_t to_ = FI_ADDR_UNSPEC;
    uint64_t number_ = 0;
    uint64_t sent_ = 0;
    Clock::time_point began_ = Clock::now(), shown_{};
};

} // namespace

int send(const SendOptions& options) {
    Sender sender(options.host, options.port, options.progress);
    const Reply r = sender.run(options.snapshot, options.paths);
    const double all = static_cast<double>(r.bytes), fresh = static_cast<double>(r.new_bytes);
    std::printf("%s: %u entries, %.1f MiB in %llu chunks; new %.1f MiB in %llu chunks, %.1f %% "
                "saved\n",
                options.snapshot.c_str(), r.entries, all / (1 << 20),
                static_cast<unsigned long long>(r.chunks), fresh / (1 << 20),
                static_cast<unsigned long long>(r.new_chunks),
                r.bytes ? 100 * (1 - fresh / all) : 0);
    return 0;
}

} // namespace checkpoint
