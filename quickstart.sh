#!/usr/bin/env bash
# From a clone to a running MPI job, on Debian 12:
#
#   bash quickstart.sh          set up, then a two-rank MPI job over rill on loopback, and a table
#   bash quickstart.sh check    set up, then all tests
#
# As root, or as a user who may sudo. Installs what is missing from Debian, builds in build/.
# Run again, it does only what is still to be done. Its logs are in build/quickstart/.
set -uo pipefail

usage() {
    echo "usage: bash quickstart.sh [check]"
    echo "  (nothing)  set up, run a two-rank MPI job over rill, show what it reached"
    echo "  check      set up, run all tests"
}

mode=run
case $#:${1-} in
0:) ;;
1:check) mode=check ;;
1:-h | 1:--help) usage; exit 0 ;;
*)
    usage >&2
    exit 2
    ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
build=build
logs=$build/quickstart
jobs=$(nproc)

packages=(
    # to build
    autoconf automake libtool pkg-config make g++ libfabric-dev nlohmann-json3-dev libxxhash-dev libssl-dev libhwloc-dev
    pandoc
    # to run
    libfabric-bin openmpi-bin libopenmpi-dev netpipe-openmpi hpcc
    # to test
    libcriterion-dev xxhash openssl borgbackup clang-14 libclang-rt-14-dev clang-format-14 valgrind spin binutils iproute2 pciutils procps util-linux python3 git
)

# --- what runs, runs in a session of its own, so that nothing of it outlives this script ---------

session=

# Processes of session $1, whatever process group they moved to (mpirun gives each rank its own).
members() {
    local stat rest
    for stat in /proc/[0-9]*/stat; do
        { rest=$(<"$stat"); } 2>/dev/null || continue
        # pid (name) state ppid pgrp session ...; the name may hold anything, so cut at its end
        set -- "$1" ${rest##*) }
        [[ $5 == "$1" && $2 != Z ]] && stat=${stat#/proc/} && echo "${stat%/stat}"
    done
}

stop_session() {
    [[ -n $session ]] || return 0
    local signal pids
    for signal in TERM TERM KILL; do
        mapfile -t pids < <(members "$session")
        ((${#pids[@]})) || break
        kill -"$signal" "${pids[@]}" 2>/dev/null
        for _ in {1..20}; do
            mapfile -t pids < <(members "$session")
            ((${#pids[@]})) || break
            sleep 0.1
        done
    done
    session=
}

trap stop_session EXIT
trap 'echo; echo "quickstart: stopped" >&2; exit 130' INT
trap 'exit 143' TERM HUP

fail() {
    echo "quickstart: $*" >&2
    exit 1
}

# step TITLE LOG FILTER COMMAND...: runs it, with its output in LOG, and shows that it is alive:
# lines that match FILTER as they come (none if empty), and how long it has been going on.
step() {
    local title=$1 log=$2 filter=$3 begun=$SECONDS seen=0 spoke=$SECONDS size status tty=
    shift 3
    [[ -t 1 ]] && tty=1
    printf '== %s\n' "$title"
    : >"$log"
    # An asynchronous command starts with interrupts ignored; its children should not inherit that.
    setsid env --default-signal=INT,QUIT "$@" >"$log" 2>&1 </dev/null &
    session=$!
    while :; do
        kill -0 "$session" 2>/dev/null && status= || status=done
        size=$(stat -c %s "$log")
        if ((size > seen)) && [[ -n $filter ]]; then
            # Whole lines only; the rest is shown next time.
            local fresh
            fresh=$(tail -c +$((seen + 1)) "$log" | head -c $((size - seen)) | tr -d '\0'; echo .)
            fresh=${fresh%.}
            if [[ -n $status || $fresh == *$'\n' ]]; then
                seen=$size
            else
                local cut=${fresh##*$'\n'}
                seen=$((size - $(printf %s "$cut" | wc -c)))
                fresh=${fresh%"$cut"}
            fi
            fresh=$(grep -aE -- "$filter" <<<"$fresh")
            if [[ -n $fresh ]]; then
                [[ -n $tty ]] && printf '\r\033[K'
                printf '%s\n' "$fresh"
                spoke=$SECONDS
            fi
        fi
        [[ -n $status ]] && break
        if [[ -n $tty ]]; then
            printf '\r\033[K   %3d s  %.60s' $((SECONDS - begun)) \
                "$(tail -n 1 "$log" | tr -cd '[:print:]')"
        elif ((SECONDS - spoke >= 30)); then
            printf '   ... %d s\n' $((SECONDS - begun))
            spoke=$SECONDS
        fi
        sleep 0.5
    done
    wait "$session"
    status=$?
    [[ -n $tty ]] && printf '\r\033[K'
    stop_session
    if ((status)); then
        printf '   failed after %d s; the end of %s:\n' $((SECONDS - begun)) "$log" >&2
        tail -n 40 "$log" >&2
    else
        printf '   done in %d s\n' $((SECONDS - begun))
    fi
    return $status
}

# --- the set-up ----------------------------------------------------------------------------------

install_packages() {
    local missing=() name sudo=()
    command -v dpkg-query >/dev/null ||
        fail "this is for Debian; elsewhere see README.md for what rill needs"
    for name in "${packages[@]}"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
            missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    echo "== installing from Debian: ${missing[*]}"
    if ((EUID)); then
        command -v sudo >/dev/null ||
            fail "not root and no sudo; as root: apt-get install ${missing[*]}"
        sudo=(sudo)
        # Asked for here, where the terminal is. What follows stays in the foreground for its sake.
        sudo -v || fail "sudo refused; as root: apt-get install ${missing[*]}"
    fi
    local log
    log=$(mktemp) || exit 1
    local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } 2>&1 |
        tee "$log" | grep --line-buffered -E '^(Fetched|Setting up|E:|W:)' | sed -u 's/^/   /'
    if ((PIPESTATUS[0])); then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "Debian's packages could not be installed"
    fi
    rm -f "$log"
}

build_rill() {
    mkdir -p "$logs" || exit 1
    # From here on make itself sees what is out of date, configure and Makefile.in included.
    if [[ ! -x configure || ! -f Makefile.in ]]; then
        step "making configure" "$logs/autogen.log" '' sh autogen.sh || exit 1
    fi
    if [[ ! -f $build/Makefile ]]; then
        step "configuring in $build/" "$logs/configure.log" '' \
            sh -c "cd '$build' && exec ../configure" || exit 1
    fi
    if make -q -C "$build" all >/dev/null 2>&1; then
        echo "== rill is built already"
    else
        step "building" "$logs/make.log" '(warning|error):' make -C "$build" -j"$jobs" all || exit 1
    fi
}

# --- the job -------------------------------------------------------------------------------------

run_job() {
    local figures=$logs/netpipe.out log=$logs/mpi.log
    rm -f "$figures"
    ((EUID)) || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export FI_PROVIDER=rill FI_PROVIDER_PATH=$PWD/$build/prov/rill/.libs
    export FI_RILL_IFACE=lo FI_RILL_STATS=1
    # Only cm over ofi may carry it: if rill cannot, the job fails and does not fall back.
    step "two MPI ranks over rill on loopback (NetPIPE)" "$log" '' \
        timeout -k 5 300 mpirun -n 2 --oversubscribe --tag-output --mca pml cm --mca mtl ofi \
        NPopenmpi -p 0 -u 4194304 -o "$figures" || exit 1
    [[ -s $figures ]] || fail "NetPIPE left no figures; its output is in $log"

    echo
    echo "     bytes    one way, us         MB/s"
    awk '
        # bytes, Mb/s (of 2^20 bits), seconds one way
        { for (size = 1; size < $1; size *= 4) continue
          if (size == $1) printf "%10d %14.2f %12.1f\n", $1, $3 * 1e6, $1 / $3 / 1e6 }' "$figures"
    echo
    # [1,0]<stderr>: rill:path LOCAL PEER NUMBER tx_packets N tx_bytes N tx_retransmits N rx_packets N rx_bytes N
    sed -n 's/^\[[0-9]*,\([0-9]*\)\]<std[a-z]*>: *rill:path  */\1 /p' "$log" >"$logs/paths"
    [[ -s $logs/paths ]] ||
        fail "rill printed no counters, so it is not plain that it carried the job; see $log"
    echo "What rill carried, by path"
    awk '
        BEGIN {
            layout = "%4s  %-21s %-21s %4s %12s %14s %12s %14s %8s\n"
            printf layout, "rank", "from", "to", "path", "sent", "bytes", "received", "bytes", "resent"
        }
        { printf layout, $1, $2, $3, $4, $6, $8, $12, $14, $10 }' "$logs/paths"
    sed -n 's/^\[[0-9]*,\([0-9]*\)\]<std[a-z]*>: *rill:counters tx_shm_bytes  *\([0-9]*\).*/rank \1 sent \2 of its bytes through shared memory (FI_RILL_SHM=0: none)/p' "$log"
}

install_packages
build_rill
if [[ $mode == run ]]; then
    run_job
else
    ((EUID)) || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    step "all tests" "$logs/check.log" \
        '^(PASS|FAIL|XPASS|XFAIL|SKIP|ERROR|# [A-Z]+: )|\*\*\*' \
        make -C "$build" -j"$jobs" check || {
        [[ -f $build/test-suite.log ]] && echo "quickstart: all of it is in $build/test-suite.log" >&2
        exit 1
    }
fi
