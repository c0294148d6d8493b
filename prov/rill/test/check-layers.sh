#!/bin/sh
# The arrows between the rooms, held to: fails on an #include that goes against them, and on what
# only some rooms may touch (libfabric's headers, the environment, extern "C", clocks). Likewise the
# line between host and device: above the device, rdm and fi know registers, queues and memory.
# First it convinces itself that it can fail.
#
#   check-layers.sh [TREE]      TREE holds prov/rill and fabtests; default: this script's own
set -u
tree=${1:-${top_srcdir:-$(dirname "$0")/../../..}}

# look TREE: prints one line per violation; status 1 if there was one.
look() {
    (cd "$1" && find prov/rill/src prov/rill/sim fabtests -type f \
        \( -name '*.[ch]pp' -o -name '*.[ch]' \) 2>/dev/null | LC_ALL=C sort |
        xargs -r awk '
    BEGIN {
        # Each room and the rooms it may include, itself apart.
        may["util"] = ""
        may["wire"] = "util"
        may["obs"] = "util"
        may["dedup"] = "util"
        may["transport"] = "util wire obs"
        may["link"] = "util wire obs"
        may["nic"] = "util wire obs transport dedup"
        may["rdm"] = "util wire obs dedup nic"
        may["fi"] = "util wire obs transport dedup nic link rdm"
        may["sim"] = "util wire obs transport dedup nic rdm"
        may["fabtests"] = ""
        for (room in may) {
            n = split(may[room], list, " ")
            allowed[room, room] = 1
            for (i = 1; i <= n; i++) allowed[room, list[i]] = 1
        }
    }
    # Headers of nic that say what a host sees.
    function on_the_line(path) { return path ~ /^nic\/(bus|registers|admin|entries)\.hpp$/ }
    function host_may(path) {
        if (on_the_line(path) || path == "nic/config_dump.hpp") return 1
        if (room != "fi") return 0
        # The engine plugs the card in; the rest of fi chooses a type, and knows which atomics are.
        return path ~ /^nic\/(atomic_ops|device_type|shipped_types)\.hpp$/ ||
               (path ~ /^nic\/(card|describe)\.hpp$/ && FILENAME ~ /src\/fi\/engine\.[ch]pp$/)
    }
    function bad(what) {
        printf "%s:%d: %s\n", FILENAME, FNR, what
        violations++
    }
    # The line without its comments. Text in quotes is taken as it is: a // in a string is no loss.
    function code(line,    out, at, end) {
        out = ""
        while (line != "") {
            if (in_comment) {
                end = index(line, "*/")
                if (!end) return out
                line = substr(line, end + 2)
                in_comment = 0
                continue
            }
            at = match(line, /\/[\/*]/)
            if (!at) return out line
            out = out substr(line, 1, at - 1)
            if (substr(line, at, 2) == "//") return out
            in_comment = 1
            line = substr(line, at + 2)
        }
        return out
    }
    FNR == 1 {
        in_comment = 0
        n = split(FILENAME, part, "/")
        room = part[1] == "fabtests" ? "fabtests" : part[3] == "sim" ? "sim" : part[4]
        if (!(room in may)) bad("room " room " is not known to check-layers.sh")
    }
    {
        text = code($0)
        if (text ~ /^[ \t]*#[ \t]*include[ \t]*["<]/) {
            path = text
            sub(/^[^"<]*["<]/, "", path)
            sub(/[">].*/, "", path)
            if (path ~ /^\.\.?\//) bad("include as \"room/file\", not \"" path "\"")
            else if (index(path, "/")) {
                target = path
                sub(/\/.*/, "", target)
                if (target == "prov" || target == "src")
                    bad("include as \"room/file\", not \"" path "\"")
                else if (target in may && !((room, target) in allowed))
                    bad(room " may not include from " target ": " path)
                if (target == "nic" && (room == "rdm" || room == "fi") && !host_may(path))
                    bad(room " is on the host\047s side and may not include " path)
                if (target == "nic" && on_the_line(room "/" part[n]) && !on_the_line(path))
                    bad("a header on the line between host and device includes " path)
                if (target == "rdma" && room != "fi" && room != "fabtests")
                    bad("only fi may include libfabric: " path)
            }
            next
        }
        if ((room == "rdm" || room == "fi") && FILENAME !~ /src\/fi\/engine\.[ch]pp$/ &&
            text ~ /nic::(Device|Function|Adapter|Card|QueuePair|CompletionRing)([^A-Za-z0-9_]|$)/)
            bad(room " reaches over the line into the device")
        if (room == "fi" || room == "fabtests") next
        if (text ~ /(^|[^A-Za-z0-9_])(secure_)?getenv[ \t]*\(/)
            bad(room " reads the environment; only fi may")
        if (text ~ /extern[ \t]+"C"/)
            bad(room " has extern \"C\"; only fi may")
        if (room != "link" &&
            (text ~ /(^|[^A-Za-z0-9_])(clock_gettime|gettimeofday|timespec_get|__rdtscp?|_rdtsc)[ \t]*\(/ ||
             text ~ /[A-Za-z0-9_]*_clock[ \t]*::[ \t]*now/ ||
             text ~ /(^|[^A-Za-z0-9_.>])time[ \t]*\([ \t]*(NULL|nullptr|0)[ \t]*\)/))
            bad(room " reads a clock; time is an argument (only fi and link read it)")
    }
    END { exit violations > 0 }
    ')
}

scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# expect WANT FILE TEXT: a tree with only this file must be found clean (0) or guilty (1).
self_tests=0
expect() {
    rm -rf "$scratch/prov" "$scratch/fabtests"
    mkdir -p "$scratch/$(dirname "$2")"
    printf '%s\n' "$3" >"$scratch/$2"
    found=0
    look "$scratch" >"$scratch/said" || found=1
    self_tests=$((self_tests + 1))
    if [ "$found" != "$1" ]; then
        echo "self-test: wanted $1 and got $found for $2: $3"
        cat "$scratch/said"
        exit 1
    fi
}

expect 0 prov/rill/src/util/a.hpp '#include <vector>'
expect 1 prov/rill/src/util/a.hpp '#include "wire/packet.hpp"'
expect 1 prov/rill/src/util/a.hpp '#  include <wire/packet.hpp>  // why not'
expect 1 prov/rill/src/wire/a.cpp '#include "../nic/nic.hpp"'
expect 0 prov/rill/src/wire/a.cpp '#include "util/seq.hpp"'
expect 1 prov/rill/src/transport/a.cpp '#include "nic/nic.hpp"'
expect 0 prov/rill/src/transport/a.cpp '#include "obs/counters.hpp"'
expect 1 prov/rill/src/nic/a.cpp '#include "link/udp.hpp"'
expect 0 prov/rill/src/nic/a.cpp '#include "dedup/engine.hpp"'
expect 0 prov/rill/src/dedup/a.cpp '#include "util/ring.hpp"'
expect 1 prov/rill/src/dedup/a.cpp '#include "obs/counters.hpp"'
expect 1 prov/rill/src/dedup/a.cpp '#include "wire/packet.hpp"'
expect 1 prov/rill/src/transport/a.cpp '#include "dedup/engine.hpp"'
expect 1 prov/rill/src/link/a.cpp '#include "transport/context.hpp"'
expect 0 prov/rill/src/rdm/a.cpp '#include "wire/packet.hpp"'
expect 1 prov/rill/src/rdm/a.cpp '#include "fi/domain.hpp"'
expect 1 prov/rill/src/rdm/a.cpp '#include "transport/context.hpp"'
expect 0 prov/rill/src/rdm/a.cpp '#include "nic/entries.hpp"'
expect 1 prov/rill/src/rdm/a.cpp '#include "nic/device.hpp"'
expect 1 prov/rill/src/rdm/a.cpp '#include "nic/card.hpp"'
expect 1 prov/rill/src/rdm/a.cpp 'void f(nic::Device& d);'
expect 0 prov/rill/src/rdm/a.cpp 'void f(nic::DeviceType& d);'
expect 0 prov/rill/src/fi/engine.hpp '#include "nic/card.hpp"'
expect 0 prov/rill/src/fi/engine.cpp 'nic::Device& d = card_->device();'
expect 1 prov/rill/src/fi/domain.cpp '#include "nic/card.hpp"'
expect 1 prov/rill/src/fi/domain.cpp 'nic::Device* d;'
expect 0 prov/rill/src/fi/a.cpp '#include "nic/atomic_ops.hpp"'
expect 1 prov/rill/src/nic/entries.hpp '#include "nic/device.hpp"'
expect 0 prov/rill/src/nic/entries.hpp '#include "nic/admin.hpp"'
expect 1 prov/rill/src/obs/a.cpp '#include "nic/nic.hpp"'
expect 0 prov/rill/src/fi/a.cpp '#include "link/udp.hpp"'
expect 1 prov/rill/src/fi/a.cpp '#include "sim/world.hpp"'
expect 1 prov/rill/sim/a.cpp '#include "link/udp.hpp"'
expect 0 prov/rill/sim/a.cpp '#include "rdm/endpoint.hpp"'
expect 1 fabtests/functional/a.cpp '#include "nic/nic.hpp"'
expect 1 prov/rill/src/rdm/a.cpp '#include <rdma/fabric.h>'
expect 0 prov/rill/src/fi/a.cpp '#include <rdma/fabric.h>'
expect 1 prov/rill/src/nic/a.cpp 'auto v = std::getenv("X");'
expect 1 prov/rill/src/obs/a.hpp 'extern "C" int f();'
expect 0 prov/rill/src/obs/a.hpp '// extern "C" and getenv() are for fi'
expect 0 prov/rill/src/obs/a.hpp '/* clock_gettime() is
for fi: extern "C" */ int x;'
expect 1 prov/rill/src/nic/a.cpp '/* now */ auto t = std::chrono::steady_clock::now();'
expect 1 prov/rill/sim/a.cpp 'clock_gettime(CLOCK_MONOTONIC, &ts);'
expect 0 prov/rill/src/link/a.cpp 'clock_gettime(CLOCK_MONOTONIC, &ts);'
expect 1 prov/rill/src/link/a.cpp 'const char* v = getenv ("X");'

if [ ! -d "$tree/prov/rill/src" ]; then
    echo "no prov/rill/src under $tree"
    exit 99
fi
if look "$tree"; then
    echo "layers: no include goes against the arrows ($self_tests self-tests)"
else
    echo "layers: see the lines above; the arrows are drawn in prov/rill/test/check-layers.sh"
    exit 1
fi
