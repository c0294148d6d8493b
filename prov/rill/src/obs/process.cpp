// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "obs/process.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace rill::obs {
namespace {

// 0: there is no such process.
uint64_t start_ticks_of(const std::string& pid) {
    std::ifstream in("/proc/" + pid + "/stat");
    std::stringstream all;
    all << in.rdbuf();
    const std::string text = all.str();
    // The name in brackets may hold anything; what follows is fields 3 and on.
    const size_t end = text.rfind(')');
    if (end == std::string::npos) return 0;
    std::istringstream rest(text.substr(end + 1));
    std::string word;
    for (int field = 3; field <= 22; ++field)
        if (!(rest >> word)) return 0;
    return std::strtoull(word.c_str(), nullptr, 10);
}

uint64_t own_namespace() {
    struct stat s;
    return stat("/proc/self/ns/pid", &s) == 0 ? s.st_ino : 0;
}

} // namespace

ProcessId ProcessId::current() {
    return {getpid(), start_ticks_of("self"), own_namespace()};
}

bool may_live(const ProcessId& process) {
    return process.pid_namespace != own_namespace() ||
           start_ticks_of(std::to_string(process.pid)) == process.start_ticks;
}

std::string program_of_current() {
    std::ifstream in("/proc/self/comm");
    std::string name;
    std::getline(in, name);
    return name;
}

} // namespace rill::obs
