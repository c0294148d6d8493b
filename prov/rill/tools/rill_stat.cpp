// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// rill_stat: a live view of the devices of running processes. man/rill_stat.1.md.
#include "link/clock.hpp"
#include "running.hpp"
#include "screen.hpp"
#include "stat_view.hpp"
#include "state.hpp"

#include <charconv>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace rill::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string process; // empty: all
    bool once = false;
    bool json = false;
    double interval_s = 1;
};

int usage() {
    std::fputs("usage: rill_stat [--once] [--json] [--interval SECONDS] [PROCESS]\n"
               "PROCESS: a process number, or one of its devices as `rillctl list` names it\n",
               stderr);
    return 2;
}

int fail(const std::string& why) {
    std::fprintf(stderr, "rill_stat: %s\n", why.c_str());
    return 1;
}

bool read_interval(std::string_view word, double& out) {
    const auto [rest, failure] = std::from_chars(word.data(), word.data() + word.size(), out);
    return failure == std::errc() && rest == word.data() + word.size() && out >= 0.05 &&
           out <= 3600;
}

bool read_options(std::span<char*> words, Options& out) {
    for (size_t i = 1; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (word == "--once")
            out.once = true;
        else if (word == "--json")
            out.json = true;
        else if (word == "--interval" && i + 1 < words.size() &&
                 read_interval(words[i + 1], out.interval_s))
            ++i;
        else if (out.process.empty() && names_process(word))
            out.process = word;
        else
            return false;
    }
    return true;
}

// One look at all devices that are meant.
struct Sample {
    Instant at{};
    std::vector<Json> devices;
    std::vector<std::string> notes;
};

// False, with an error: there is none of them.
bool take(const Options& options, Sample& out, std::string& error) {
    std::vector<obs::ExportReader> devices;
    if (!find_running(options.process, devices, error)) return false;
    out = {};
    for (obs::ExportReader& device : devices) {
        obs::ExportReader::Tables tables;
        std::string note;
        if (!look(device, tables, note, error)) continue;
        if (!note.empty()) out.notes.push_back("process " + device.name() + " " + note);
        out.devices.push_back(state_of(device, tables));
    }
    out.at = link::monotonic_now();
    return !out.devices.empty();
}

std::vector<std::string> frame_of(const Sample& now, const Sample& before) {
    static const Json none;
    const double seconds = std::chrono::duration<double>(now.at - before.at).count();
    std::vector<std::string> lines = now.notes;
    for (const Json& device : now.devices) {
        const Json* old = &none;
        for (const Json& d : before.devices)
            if (d["device"] == device["device"] && d["pid"] == device["pid"]) old = &d;
        if (!lines.empty()) lines.emplace_back();
        for (std::string& line : view_of(device, *old, seconds))
            lines.push_back(std::move(line));
    }
    return lines;
}

// One line.
std::string json_text(const Sample& sample) {
    return Json{{"devices", sample.devices}, {"notes", sample.notes}}.dump();
}

int show_once(const Options& options) {
    Sample sample;
    std::string error;
    if (!take(options, sample, error)) return fail(error);
    std::vector<std::string> lines = frame_of(sample, {});
    if (options.json) lines = {json_text(sample)};
    for (const std::string& line : lines)
        std::printf("%s\n", line.c_str());
    return 0;
}

// Until it is stopped, or the process that was named has ended. `error` is why, if it is one.
void follow(const Options& options, std::string& error) {
    Screen screen(!options.json);
    Sample now, before;
    const auto interval =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.interval_s));
    for (bool first = true;; first = false) {
        const Instant begun = link::monotonic_now();
        if (!take(options, now, error)) {
            if (first || !options.process.empty()) return;
            now = {}; // others may come
            now.notes.push_back(error);
            error.clear();
        }
        std::vector<std::string> lines = frame_of(now, before);
        if (options.json) lines = {json_text(now)};
        for (auto why = Screen::Why::resized; why == Screen::Why::resized;) {
            if (!screen.draw(lines)) return;
            why = screen.wait(begun + interval);
            if (why == Screen::Why::quit) return;
        }
        before = std::move(now);
    }
}

} // namespace

int run(std::span<char*> words) {
    Options options;
    if (!read_options(words, options)) return usage();
    if (options.once) return show_once(options);
    std::string error;
    follow(options, error);
    return error.empty() ? 0 : fail(error);
}

} // namespace rill::tools

int main(int argc, char** argv) {
    return rill::tools::run({argv, static_cast<size_t>(argc)});
}
