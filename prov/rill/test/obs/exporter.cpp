// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The shared-memory export: what one process writes and another reads.
#include "obs/exporter.hpp"
#include "obs/export_reader.hpp"

#include <criterion/criterion.h>

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace rill;
using namespace rill::obs;

namespace {

constexpr Instant kNow{std::chrono::seconds(5)};

struct Place {
    std::string path;
    Place() {
        char name[] = "/tmp/rill-exporter.XXXXXX";
        cr_assert(mkdtemp(name));
        path = name;
    }
    ~Place() {
        for (const std::string& file : list_exports(path)) {
            unlink((file + kBellSuffix).c_str());
            unlink(file.c_str());
        }
        rmdir(path.c_str());
    }
};

std::unique_ptr<Exporter> open_in(const std::string& directory) {
    std::string error;
    auto exporter = Exporter::open({directory}, {"rill-std", "lo"}, error);
    cr_assert(exporter, "%s", error.c_str());
    return exporter;
}

ExportReader reader_of(const std::string& path) {
    ExportReader reader;
    std::string error;
    cr_assert(reader.open(path, error), "%s", error.c_str());
    return reader;
}

uint64_t counter_of(const ExportReader& reader, const std::string& name) {
    for (const auto& [n, value] : reader.counters())
        if (n == name) return value;
    cr_assert_fail("no counter %s", name.c_str());
    return 0;
}

void publish(Exporter& exporter, size_t entries, uint64_t value) {
    Snapshot& s = exporter.fresh_snapshot();
    s.begin(TableKind::reg, sizeof(RegisterEntry));
    for (size_t i = 0; i < entries; ++i)
        s.add(RegisterEntry{0, static_cast<uint32_t>(i), value});
    exporter.publish(kNow);
}

bool rings(const Exporter& exporter) {
    pollfd on = {exporter.bell(), POLLIN, 0};
    return poll(&on, 1, 0) == 1;
}

} // namespace

Test(exporter, counters_are_read_as_they_are_written) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    const ExportReader reader = reader_of(exporter->path());
    cr_assert_eq(reader.counters().size(), kCounters);
    cr_assert_eq(counter_of(reader, "rx_direct_bytes"), 0u);
    exporter->counters().add(Counter::rx_direct_bytes, 123);
    cr_assert_eq(counter_of(reader, "rx_direct_bytes"), 123u);
    exporter->counters().add(Counter::rx_direct_bytes);
    cr_assert_eq(counter_of(reader, "rx_direct_bytes"), 124u);
}

Test(exporter, the_head_says_whose_it_is) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({{1, 2, 3}});
    const Header h = reader_of(exporter->path()).header();
    cr_assert_eq(h.pid, getpid());
    cr_assert_eq(h.uid, geteuid());
    cr_assert_neq(h.start_ticks, 0u);
    cr_assert_str_eq(h.device, "rill-std");
    cr_assert_str_eq(h.interface, "lo");
    cr_assert_eq(h.address.words[2], 3u);
    struct stat s;
    cr_assert_eq(stat(exporter->path().c_str(), &s), 0);
    cr_assert_eq(s.st_mode & 0777, 0600u);
}

Test(exporter, not_read_before_it_is_announced) {
    const Place place;
    const auto exporter = open_in(place.path);
    ExportReader reader;
    std::string error;
    cr_assert(!reader.open(exporter->path(), error));
    cr_assert(error.find("not yet") != error.npos, "%s", error.c_str());
}

Test(exporter, a_snapshot_when_one_is_wanted) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    ExportReader reader = reader_of(exporter->path());
    ExportReader::Tables tables;
    cr_assert(reader.read(tables));
    cr_assert_eq(tables.sequence, 0u, "none yet");
    cr_assert(!exporter->wanted() && !rings(*exporter));
    const uint64_t wanted = reader.request();
    cr_assert(exporter->wanted() && rings(*exporter));
    exporter->clear_bell();
    cr_assert(!rings(*exporter));
    publish(*exporter, 3, 7);
    cr_assert(!exporter->wanted());
    cr_assert(reader.read(tables));
    cr_assert_geq(tables.sequence, wanted);
    cr_assert_eq(tables.at_ns, 5'000'000'000);
    cr_assert_eq(entries_of<RegisterEntry>(tables.bytes, TableKind::reg).size(), 3u);
}

Test(exporter, grows_with_what_there_is_to_tell) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    const ExportReader reader = reader_of(exporter->path());
    exporter->counters().add(Counter::tx_packets, 5);
    ExportReader::Tables tables;
    for (const size_t n : {size_t{10}, size_t{5000}, size_t{200}, size_t{100000}, size_t{0}}) {
        publish(*exporter, n, n);
        cr_assert(reader.read(tables));
        cr_assert_eq(tables.lost, 0u);
        cr_assert_eq(entries_of<RegisterEntry>(tables.bytes, TableKind::reg).size(), n);
    }
    cr_assert_eq(counter_of(reader, "tx_packets"), 5u, "counters stay where they are");
    // Beyond the limit: as much as fits, and a word on it.
    publish(*exporter, 5'000'000, 1);
    cr_assert(reader.read(tables));
    cr_assert_neq(tables.lost, 0u);
    cr_assert_gt(entries_of<RegisterEntry>(tables.bytes, TableKind::reg).size(), 100000u);
}

// Another process reads all the while. Each snapshot that it gets is of one moment.
Test(exporter, never_torn) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    publish(*exporter, 1, 1);
    const pid_t child = fork();
    if (child == 0) {
        ExportReader reader;
        std::string error;
        if (!reader.open(exporter->path(), error)) _exit(1);
        uint64_t last = 0;
        for (size_t seen = 0; seen < 200;) {
            ExportReader::Tables t;
            if (!reader.read(t)) continue;
            const auto entries = entries_of<RegisterEntry>(t.bytes, TableKind::reg);
            const uint64_t value = entries.empty() ? 0 : entries[0].value;
            if (value < last || entries.size() != value % 777) _exit(2);
            for (const RegisterEntry& e : entries)
                if (e.value != value) _exit(3);
            seen += value != last;
            last = value;
        }
        _exit(0);
    }
    int status = 0;
    for (uint64_t i = 1; waitpid(child, &status, WNOHANG) == 0; ++i)
        if (i % 777 != 0) publish(*exporter, i % 777, i);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
}

Test(exporter, goes_when_it_is_closed) {
    const Place place;
    auto exporter = open_in(place.path);
    auto second = open_in(place.path);
    exporter->announce({});
    second->announce({});
    cr_assert_neq(exporter->path(), second->path());
    cr_assert_eq(list_exports(place.path).size(), 2u);
    exporter.reset();
    cr_assert_eq(list_exports(place.path).size(), 1u);
    second.reset();
    cr_assert(list_exports(place.path).empty());
    cr_assert_eq(rmdir(place.path.c_str()), 0, "nothing is left");
}

Test(exporter, files_of_the_dead_are_removed) {
    const Place place;
    const pid_t child = fork();
    if (child == 0) {
        std::string error;
        const auto exporter = Exporter::open({place.path}, {"rill-std", "lo"}, error);
        if (exporter) exporter->announce({});
        _exit(exporter ? 0 : 1); // as a crash: nothing is taken down
    }
    int status = 0;
    // The file of a process that is there, even as a zombie, is not touched.
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    const std::string left = place.path + "/" + std::to_string(child) + "-0";
    remove_stale(place.path);
    cr_assert_eq(access(left.c_str(), F_OK), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(WEXITSTATUS(status), 0);
    const auto living = open_in(place.path);
    living->announce({});
    cr_assert_eq(access(left.c_str(), F_OK), -1, "the next process that opens one takes it away");
    cr_assert_eq(access((left + kBellSuffix).c_str(), F_OK), -1);
    cr_assert_eq(list_exports(place.path).size(), 1u);
}

Test(exporter, a_forked_child_lets_it_be) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    const pid_t child = fork();
    if (child == 0) {
        exporter->forget();
        exporter->~Exporter();
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(access(exporter->path().c_str(), F_OK), 0);
}

Test(exporter, another_version_is_named) {
    const Place place;
    const auto exporter = open_in(place.path);
    exporter->announce({});
    const uint32_t version = kLayoutVersion + 1;
    const Fd file(open(exporter->path().c_str(), O_WRONLY));
    cr_assert_eq(pwrite(file.get(), &version, sizeof version, offsetof(Header, version)), 4);
    ExportReader reader;
    std::string error;
    cr_assert(!reader.open(exporter->path(), error));
    cr_assert(error.find("exports version " + std::to_string(version)) != error.npos, "%s",
              error.c_str());
}

Test(exporter, what_is_no_export_is_refused) {
    const Place place;
    const std::string path = place.path + "/1-0";
    ExportReader reader;
    std::string error;
    cr_assert(!reader.open(path, error));
    for (const size_t bytes : {size_t{0}, size_t{100}, size_t{100000}}) {
        const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
        cr_assert_eq(ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
        cr_assert(!reader.open(path, error), "%zu bytes", bytes);
    }
    unlink(path.c_str());
    cr_assert_eq(symlink("/etc/passwd", path.c_str()), 0);
    cr_assert(!reader.open(path, error), "a link");
    unlink(path.c_str());
}

Test(exporter, directories_that_will_not_do) {
    const Place place;
    const std::string open_to_all = place.path + "/all", link = place.path + "/link";
    cr_assert_eq(mkdir(open_to_all.c_str(), 0700), 0);
    cr_assert_eq(chmod(open_to_all.c_str(), 0777), 0);
    cr_assert_eq(symlink(open_to_all.c_str(), link.c_str()), 0);
    std::string error;
    cr_assert(!Exporter::open({open_to_all, link, place.path + "/no/such"}, {}, error));
    for (const std::string& d : {open_to_all, link, place.path + "/no/such"})
        cr_assert(error.find(d) != error.npos, "%s is named in: %s", d.c_str(), error.c_str());
    // The next that will do is taken.
    const auto exporter = Exporter::open({link, place.path}, {}, error);
    cr_assert(exporter);
    cr_assert_eq(exporter->path().rfind(place.path, 0), 0u);
    unlink(link.c_str());
    rmdir(open_to_all.c_str());
}
