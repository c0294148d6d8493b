#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# rillctl and rill_stat on running processes: what they show, while the process works and while it does
# nothing, and what they say when they cannot; resets and faults.
set -u
export LC_ALL=C
build=${top_builddir:-.}
rillctl=$build/prov/rill/tools/rillctl
rill_stat=$build/prov/rill/tools/rill_stat
observed=$build/fabtests/functional/observed
scratch=$(mktemp -d /tmp/rill-tools.XXXXXX) || exit 99
export XDG_RUNTIME_DIR=$scratch FI_RILL_IFACE=lo
status=0
started=()

clean_up() {
    # Their standard input ends, and so do they; those that were stopped go on first.
    exec 8>&-
    for pid in "${started[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
    [ "$(id -u)" != 0 ] || rmdir /dev/shm/rill-65534 2>/dev/null
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

complain() {
    echo "FAIL $*"
    status=1
}

# expect WHAT STATUS PATTERN COMMAND...: its exit status, and a pattern in what it prints; none: nothing.
expect() {
    local what=$1 wanted=$2 pattern=$3 found=0
    shift 3
    "$@" >"$scratch/out" 2>&1 </dev/null || found=$?
    if [ "$found" != "$wanted" ]; then
        complain "$what: exit status $found, not $wanted"
        cat "$scratch/out"
    elif [ -z "$pattern" ] && [ -s "$scratch/out" ]; then
        complain "$what: says something"
        cat "$scratch/out"
    elif [ -n "$pattern" ] && ! grep -qE -- "$pattern" "$scratch/out"; then
        complain "$what: no '$pattern' in"
        cat "$scratch/out"
    else
        echo "ok $what"
    fi
}

# stop PID: and wait until all its threads have stopped.
stop() {
    kill -STOP "$1"
    while grep -L '^State:.T' /proc/"$1"/task/*/status | grep -q .; do sleep 0.02; done
}

# start MODE [PREFIX...]: an observed process, whose pid is then in `pid`.
start() {
    local mode=$1
    shift
    : >"$scratch/ready"
    "$@" "$observed" "$mode" <"$scratch/input" >"$scratch/ready" 8>&- &
    pid=$!
    started+=("$pid")
    until grep -q ready "$scratch/ready"; do
        kill -0 "$pid" 2>/dev/null || { complain "observed $mode does not start"; exit 1; }
        sleep 0.02
    done
}

# json PROCESS EXPRESSION: of the state `d` of its first device, in Python.
json() {
    "$rill_stat" --once --json "$1" | python3 -c '
import json, sys
all = json.load(sys.stdin)
devices, notes = all["devices"], all["notes"]
d = devices[0]
sys.exit(0 if eval(sys.argv[1]) else 1)' "$2"
}

holds() {
    if json "$pid" "$1"; then
        echo "ok $pid: $1"
    else
        complain "$pid: not so: $1"
        "$rill_stat" --once --json "$pid"
    fi
}

mkfifo "$scratch/input"
exec 8<>"$scratch/input"

# --- nobody there ---------------------------------------------------------------------------------

expect "no words" 2 'usage: rillctl' "$rillctl"
expect "a part that is none" 2 'usage: rillctl' "$rillctl" show 1 everything
expect "an option that is none" 2 'usage: rill_stat' "$rill_stat" --twice
for interval in 0 -1 1e9 soon; do
    expect "an interval of $interval" 2 'usage: rill_stat' "$rill_stat" --interval "$interval"
done
gone=$(sh -c 'echo $$')
expect "a process that has ended" 1 "there is no process $gone" "$rillctl" show "$gone"
expect "the same" 1 "there is no process $gone" "$rill_stat" --once "$gone"
expect "a process without rill" 1 "process $$ has no device of rill open" "$rillctl" show $$
expect "a dump of it" 1 "process $$ has no device of rill open" "$rillctl" dump $$

# --- a process that does nothing ------------------------------------------------------------------

start idle
idle=$pid
expect "list" 0 "^$pid-0 +observed .* rill-std .* lo " "$rillctl" list
expect "list: both devices" 0 "^$pid-1 " "$rillctl" list
for part in usage counters placement functions registers queue_pairs resources regions contexts paths; do
    expect "show $part" 0 "^$part" "$rillctl" show "$pid-0" $part
done
expect "show all" 0 '^paths' "$rillctl" show "$pid"
expect "registers by name" 0 '^ +0  status +0x48 +0x5 +bits: 0 ready' "$rillctl" show "$pid-0" registers
expect "regions" 0 '^0x7171 +0x0 +4096 +yes +yes +1' "$rillctl" show "$pid-0" regions
expect "a device that it has not" 1 "process $pid has no device $pid-7" "$rillctl" show "$pid-7"
expect "a dump needs one device" 1 "has 2 devices; name one" "$rillctl" dump "$pid"
holds 'len(devices) == 2'
# It sleeps, and answers all the same.
holds 'not notes'
holds 'd["counters"]["tx_packets"] > 0'
holds 'd["queue_pairs"][1]["tagged"] == 3'
holds 'd["contexts"][0]["state"] == "established"'
holds 'd["paths"][0]["peer"] == devices[1]["address"]'
holds 'd["paths"][0]["rtt_us"] >= d["paths"][0]["rtt_min_us"] > 0'
holds 'abs(sum(p["share"] for p in d["paths"]) - 1) < 1e-9'
holds 'd["paths"][0]["tx_packets"] <= d["counters"]["tx_packets"]'
holds 'devices[1]["placement"]["direct_bytes"] + devices[1]["placement"]["indirect_bytes"] == 200000'
holds 'd["placement"]["direct_share"] is None'
holds 'd["resources"][0]["bytes"] == 4096 and d["usage"]["bar2_free"] == (16 << 20) - 2 * 4096'
expect "a view" 0 'direct share' "$rill_stat" --once "$pid"
stop "$pid"
expect "a stopped process" 0 'does not answer' "$rill_stat" --once "$pid"
kill -CONT "$pid"
for n in 1 2 3 4 5; do
    holds 'not notes'
done
FI_RILL_OBSERVE=0 start idle
expect "a process that exports nothing" 1 "exports none" "$rillctl" show "$pid"

# --- another version, and what a crash leaves -----------------------------------------------------

newer=$scratch/rill/$idle-5
head -c 40960 "$scratch/rill/$idle-0" >"$newer"
printf '\011' | dd of="$newer" bs=1 seek=8 conv=notrunc 2>/dev/null
expect "another version" 1 "exports version 9 of its state" "$rillctl" show "$idle-5"
expect "the others are listed" 0 "^$idle-0 " "$rillctl" list
rm -f "$newer"
start idle
kill -KILL "$pid"
wait "$pid" 2>/dev/null
[ -e "$scratch/rill/$pid-0" ] || complain "a process that was killed took its file along"
expect "after a crash" 1 "there is no process $pid" "$rillctl" show "$pid"
[ -e "$scratch/rill/$pid-0" ] && complain "the file of a dead process stays"
[ -e "$scratch/rill/$pid-0.bell" ] && complain "the bell of a dead process stays"

# --- a process that works -------------------------------------------------------------------------

start busy
before=$("$rill_stat" --once --json "$pid" | python3 -c '
import json, sys
print(json.load(sys.stdin)["devices"][0]["counters"]["tx_packets"])')
for n in 1 2 3 4 5; do
    holds 'not notes'
done
holds "d['counters']['tx_packets'] > $before"

# The live view, on a terminal: each frame in place, another size taken, the screen as it was at the end.
python3 - "$rill_stat" "$pid" <<'END' || complain "the live view"
import fcntl, os, pty, select, signal, struct, sys, termios, time

def run(how):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[1], [sys.argv[1], "--interval", "0.1", sys.argv[2]])
    seen = b""
    def until(what, start=0):
        nonlocal seen
        while what not in seen[start:]:
            if not select.select([terminal], [], [], 20)[0]:
                sys.exit("%s: no %r in %r" % (how, what, seen[-2000:]))
            seen += os.read(terminal, 65536)
    def size(rows, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    size(40, 200)
    until(b"packets/s")  # the second frame: rates
    assert seen.startswith(b"\x1b[?1049h"), seen[:50]
    assert seen.count(b"\x1b[2J") == 0, "the screen is cleared between frames"
    size(4, 30)
    mark = len(seen)
    until(b"\x1b[H", mark)
    at = seen.index(b"\x1b[H", mark)
    until(b"\x1b[H", at + 1)
    until(b"\x1b[H", seen.index(b"\x1b[H", at + 1) + 1)
    frame = seen[seen.index(b"\x1b[H", at + 1):].split(b"\x1b[H")[1]
    lines = frame.replace(b"\x1b[K", b"").replace(b"\x1b[J", b"").split(b"\r\n")
    assert len(lines) == 4 and max(map(len, lines)) == 30, (len(lines), lines)
    if how == "q":
        os.write(terminal, b"q")
    elif how == "ctrl-c":
        os.write(terminal, b"\x03")
    try:
        while True:
            more = os.read(terminal, 65536)
            if not more:
                break
            seen += more
    except OSError:
        pass  # the other end is closed
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    assert seen.endswith(b"\x1b[?25h\x1b[?1049l"), seen[-50:]
    print("ok the live view, ended by", how)

run("q")
run("ctrl-c")
END
"$rill_stat" --interval 0.05 "$pid" | head -n 30 >"$scratch/out"
grep -q 'packets/s' "$scratch/out" || complain "no rates without a terminal"
"$rill_stat" --interval 0.05 --json "$pid" | head -n 3 | python3 -c '
import json, sys
lines = [json.loads(line)["devices"][0]["counters"]["tx_packets"] for line in sys.stdin]
sys.exit(0 if len(lines) == 3 and lines[0] <= lines[1] <= lines[2] and lines[0] < lines[2] else 1)' ||
    complain "JSON line by line"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
expect "a process that has ended" 1 "there is no process $pid" "$rill_stat" "$pid"

# --- resets and faults ------------------------------------------------------------------------------

# The process checks itself what fails, and that everything works again.
for how in reset "fault reset_in_flight" "fault queue_overrun"; do
    start reset
    command=${how%% *}
    point=${how#"$command"}
    # shellcheck disable=SC2086
    expect "$how under traffic" 0 '' "$rillctl" "$command" "$pid-0" $point
    until grep -q works "$scratch/ready"; do
        kill -0 "$pid" 2>/dev/null || { complain "$how: the process has ended"; break; }
        sleep 0.02
    done
    holds 'd["counters"]["rx_packets"] > 0'
done
stop "$pid"
expect "a reset of a stopped process" 1 'does not answer' "$rillctl" reset "$pid-0"
kill -CONT "$pid"
expect "and when it goes on" 0 '' "$rillctl" reset "$pid-0"
expect "a reset of a process that sleeps" 0 '' "$rillctl" reset "$idle-1"
expect "which answers" 0 '^usage' "$rillctl" show "$idle-1" usage
expect "a reset needs one device" 1 "has 2 devices; name one" "$rillctl" reset "$pid"
expect "a fault point that is none" 2 'POINT: ' "$rillctl" fault "$pid-0" thunder
expect "a number that is none" 2 'POINT: ' "$rillctl" fault "$pid-0" admin_timeout often
FI_RILL_OBSERVE=0 start idle
expect "a reset of a process that exports nothing" 1 "exports none" "$rillctl" reset "$pid"

# --- another user's -------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    other() {
        local uid=$1
        shift
        setpriv --reuid="$uid" --clear-groups env -u XDG_RUNTIME_DIR HOME=/ "$@"
    }
    if other 65534 test -x "$observed"; then
        chmod 711 "$scratch"
        start idle setpriv --reuid=65534 --clear-groups env -u XDG_RUNTIME_DIR
        expect "another user's process" 1 "process $pid belongs to user nobody, and only" \
            other 65533 "$rillctl" show "$pid"
        expect "a reset of it" 1 "process $pid belongs to user nobody, and only" \
            other 65533 "$rillctl" reset "$pid"
        expect "its own user" 0 "^$pid-0 " other 65534 "$rillctl" list
        expect "root" 0 "^$pid-0 .* 65534 " "$rillctl" list
        expect "root: now" 0 '"notes":\[\]' "$rill_stat" --once --json "$pid"
    else
        echo "skipped: other users cannot reach $observed"
    fi
else
    echo "skipped: another user's process (not root)"
fi
exit $status
