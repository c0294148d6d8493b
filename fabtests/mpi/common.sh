# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # variables here are for the scripts that read this
#
# Read by the run-*.sh scripts here: where things are, the environment in which nothing but the
# provider can carry an MPI job's data, and an end that leaves nothing behind.
#
# PROVIDER  the libfabric provider to run over; rill unless set, e.g. PROVIDER='tcp;ofi_rxm'

set -euo pipefail

script=${0##*/}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${top_builddir:-$root/build} # make check says where
provider=${PROVIDER:-rill}

die() {
    echo "$script: $*" >&2
    exit 1
}

# want_value "$@": an option's value is there.
want_value() {
    [[ -n ${2-} ]] || die "$1 wants a value"
}

want_number() {
    want_value "$@"
    [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 wants a whole number above 0, not '$2'"
}

# Options of every script: sets `taken` to the number of words used, 0 if it is none of them.
common_usage="  --build DIR     the build tree (default: build in the source tree)
  --impair SPEC   impair rill's links, as in loss=0.01,reorder=0.02,dup=0.005
  --rcvbuf BYTES  cap rill's socket receive buffers
  --udp           over UDP alone, as between hosts, though the ranks share one
  --timeout S     end a job after S seconds"
common_option() {
    taken=2
    case $1 in
    --build) want_value "$@" && build=$2 ;;
    --impair) want_value "$@" && export FI_RILL_IMPAIR=$2 ;;
    --rcvbuf) want_number "$@" && export FI_RILL_RCVBUF=$2 ;;
    --udp) export FI_RILL_SHM=0 && taken=1 ;;
    --timeout) want_number "$@" && timeout_seconds=$2 ;;
    *) taken=0 ;;
    esac
}

not_understood() {
    echo "$script: not understood: $1" >&2
    usage >&2
    exit 2
}

# --- what runs, and its end ----------------------------------------------------------------------

job=  # pid of the `timeout` in whose process group the running command is
work= # temporary directory

clean_up() {
    local status=$?
    trap - EXIT
    if [[ -n $job ]]; then
        # timeout passes the signal on; mpirun then ends its ranks, stopped ones as well.
        kill -TERM "$job" 2>/dev/null && kill -CONT "$job" 2>/dev/null
        wait "$job" 2>/dev/null || true
    fi
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make_work() {
    work=$(mktemp -d /tmp/rill-mpi.XXXXXX) # short: the names of sockets below it are limited
    export TMPDIR=$work
}

# start SECONDS LOG COMMAND...: in the background, with its output in LOG.
start() {
    local seconds=$1 log=$2
    shift 2
    timeout -k 15 "$seconds" "$@" >"$log" 2>&1 </dev/null &
    job=$!
}

# finish SECONDS: waits for what was started. Its exit code, with a word on time-outs.
finish() {
    local status=0
    wait "$job" || status=$?
    job=
    if ((status == 124 || status == 137)); then
        echo "$script: not finished after $1 s" >&2
    fi
    return "$status"
}

# --- the environment -----------------------------------------------------------------------------

need_command() {
    command -v "$1" >/dev/null && return
    echo "$script: skipped: $1 is not installed (Debian: $2)" >&2
    exit 77
}

# The path of one of the programs built here.
program() {
    local path=$build/fabtests/mpi/$1
    [[ -x $path ]] || die "$path is not there: make -C $build fabtests/mpi/$1"
    printf '%s\n' "$path"
}

use_provider() {
    [[ -d $build ]] || die "no build tree $build (--build DIR)"
    build=$(cd "$build" && pwd)
    export FI_PROVIDER=$provider
    if [[ $provider == rill ]]; then
        export FI_PROVIDER_PATH=$build/prov/rill/.libs
        [[ -e $FI_PROVIDER_PATH/librill-fi.so ]] ||
            die "$FI_PROVIDER_PATH/librill-fi.so is not there: make -C $build"
    else
        unset FI_PROVIDER_PATH
    fi
    # Traffic stays on this host.
    export FI_RILL_IFACE=lo FI_TCP_IFACE=lo FI_SOCKETS_IFACE=lo FI_UDP_IFACE=lo
    # Open MPI and libfabric themselves leave memory behind when they end.
    export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
}

# Debian's configuration file excludes mtl/ofi and osc/pt2pt; each is named here alone, so that a
# job fails and never falls back to shared memory or TCP.
use_mpi() {
    need_command mpirun openmpi-bin
    unset "${!OMPI_MCA_@}"
    ((EUID)) || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mpirun=(mpirun --oversubscribe --bind-to none
        --mca pml cm --mca mtl ofi --mca mtl_ofi_provider_include "$provider"
        --mca btl self --mca osc pt2pt --mca coll ^sm
        --mca oob_tcp_if_include lo
        --mca mtl_ofi_verbose 1) # says which provider was taken; see expect_provider
    # Programs that were not built with the sanitizers that rill was built with.
    [[ -z ${RILL_SANITIZER_PRELOAD:-} ]] || mpirun+=(-x "LD_PRELOAD=$RILL_SANITIZER_PRELOAD")
}

# Every rank said that it took the provider that is meant. In the log of a job of NP ranks.
expect_provider() {
    local np=$1 log=$2 count
    count=$(grep -caF "mtl:ofi:prov: $provider" "$log" || true)
    ((count == np)) || {
        echo "$script: $count of $np ranks took provider $provider" >&2
        return 1
    }
}

# A job's log without what the verbosity above adds.
show() {
    grep -avE 'mtl_ofi_component\.c:|mca: base: (components_|close)|^rill:counters ' "$1" || true
}
