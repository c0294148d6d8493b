// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "running.hpp"

#include "fi/export_directories.hpp"
#include "link/clock.hpp"

#include <algorithm>
#include <cstdio>
#include <glob.h>
#include <pwd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace rill::tools {
namespace {

// A process looks for readers every 50 us while it works, and is woken by the bell while it does
// not; one that computes is noticed by its own thread after FI_RILL_HOUSEKEEPER_MS, at most 1 s.
constexpr Duration kAnswerWithin = std::chrono::seconds(3);
constexpr timespec kBetweenLooks = {0, 500'000};

void append_matches(const char* pattern, std::vector<std::string>& out) {
    glob_t found;
    if (glob(pattern, GLOB_ONLYDIR, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i)
            out.emplace_back(found.gl_pathv[i]);
    globfree(&found);
}

// Where this user's processes may have exported, whatever their environment was; for root, anybody's.
std::vector<std::string> directories() {
    std::vector<std::string> all = fi::export_directories();
    all.push_back("/run/user/" + std::to_string(geteuid()) + "/rill");
    if (geteuid() == 0) {
        append_matches("/run/user/*/rill", all);
        append_matches("/dev/shm/rill-*", all);
    }
    std::vector<std::string> once;
    for (std::string& d : all)
        if (std::find(once.begin(), once.end(), d) == once.end()) once.push_back(std::move(d));
    return once;
}

std::string user_name(uid_t uid) {
    const passwd* entry = getpwuid(uid);
    return entry ? entry->pw_name : "number " + std::to_string(uid);
}

std::string why_none(std::string_view word) {
    if (word.empty()) return "no process that this user may look at has a device of rill open";
    const std::string pid(word.substr(0, word.find('-')));
    struct stat s;
    if (stat(("/proc/" + pid).c_str(), &s) != 0) return "there is no process " + pid;
    if (s.st_uid != geteuid() && geteuid() != 0)
        return "process " + pid + " belongs to user " + user_name(s.st_uid) +
               ", and only that user and root may look at its devices";
    if (word.size() != pid.size()) return "process " + pid + " has no device " + std::string(word);
    return "process " + pid + " has no device of rill open, or exports none (FI_RILL_OBSERVE=0)";
}

} // namespace

bool names_process(std::string_view word) {
    return !word.empty() && word.find_first_not_of("0123456789-") == word.npos && word[0] != '-';
}

std::vector<obs::ExportReader> running_devices(std::vector<std::string>& problems) {
    std::vector<obs::ExportReader> found;
    for (const std::string& directory : directories()) {
        for (const std::string& path : obs::list_exports(directory)) {
            obs::ExportReader reader;
            std::string error;
            if (reader.open(path, error))
                found.push_back(std::move(reader));
            else
                problems.push_back(error);
        }
    }
    return found;
}

bool find_running(std::string_view word, std::vector<obs::ExportReader>& out, std::string& error) {
    std::vector<std::string> problems;
    for (obs::ExportReader& device : running_devices(problems)) {
        const bool named = device.name() == word || std::to_string(device.header().pid) == word;
        if (word.empty() || named) out.push_back(std::move(device));
    }
    if (!out.empty()) return true;
    error = why_none(word);
    for (const std::string& problem : problems)
        if (word.empty() || problem.find("/" + std::string(word)) != std::string::npos)
            error = problem;
    return false;
}

bool look(obs::ExportReader& device, obs::ExportReader::Tables& out, std::string& note,
          std::string& error) {
    const uint64_t wanted = device.request();
    const Instant until = link::monotonic_now() + kAnswerWithin;
    while (!device.read(out) || out.sequence < wanted) {
        if (link::monotonic_now() > until) break;
        nanosleep(&kBetweenLooks, nullptr);
    }
    note.clear();
    if (!obs::may_live(device.process())) {
        error = "process " + std::to_string(device.header().pid) + " has ended";
        return false;
    }
    if (out.sequence == 0) {
        error = "process " + std::to_string(device.header().pid) + " exports no state";
        return false;
    }
    if (wanted == 0)
        note = "may not be asked for its state";
    else if (out.sequence < wanted)
        note = "does not answer (is it stopped?)";
    if (out.lost)
        note += (note.empty() ? "" : ", and ") + std::string("had no memory for all of it");
    return true;
}

bool command(obs::ExportReader& device, obs::Command what, std::string& error) {
    const std::string process = "process " + std::to_string(device.header().pid);
    const Instant until = link::monotonic_now() + kAnswerWithin;
    Status status = device.give(what);
    for (; status == Status::busy && link::monotonic_now() < until; status = device.give(what))
        nanosleep(&kBetweenLooks, nullptr);
    if (!is_ok(status)) {
        error = process + (status == Status::busy ? " does not answer (is it stopped?)"
                                                  : " may not be told to do anything");
        return false;
    }
    while (!device.answered(what, status)) {
        if (link::monotonic_now() > until && device.take_back(what)) {
            error = process + (obs::may_live(device.process()) ? " does not answer (is it stopped?)"
                                                               : " has ended");
            return false;
        }
        nanosleep(&kBetweenLooks, nullptr);
    }
    if (is_ok(status)) return true;
    error = process + ": the device does not come up; the process goes on trying";
    return false;
}

} // namespace rill::tools
