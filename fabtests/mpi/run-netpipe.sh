#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A short run of NetPIPE between two ranks over rill, once with its own check of the data and once
# for the figures.

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<EOF
usage: $script [OPTION]...
  --upto BYTES    largest message (default: 1048576)
$common_usage
EOF
}

upto=1048576
timeout_seconds=300
while (($#)); do
    common_option "$@"
    if ((taken)); then
        shift "$taken"
        continue
    fi
    case $1 in
    --upto) want_number "$@" && upto=$2 && shift ;;
    -h | --help) usage && exit ;;
    *) not_understood "$1" ;;
    esac
    shift
done

need_command NPopenmpi netpipe-openmpi
use_provider
use_mpi
make_work

# netpipe NAME OPTION...
netpipe() {
    local name=$1 status=0
    shift
    start "$timeout_seconds" "$work/$name.log" "${mpirun[@]}" -np 2 \
        NPopenmpi -u "$upto" -o "$work/$name.out" "$@"
    finish "$timeout_seconds" || status=$?
    if ((status)) || grep -aqi 'integrity.*fail\|error' "$work/$name.log"; then
        show "$work/$name.log" >&2
        die "NPopenmpi $* ended with code $status"
    fi
    expect_provider 2 "$work/$name.log"
    [[ -s $work/$name.out ]] || die "NPopenmpi $* left no figures"
}

netpipe integrity -i -p 0 -n 20
grep -aqi 'integrity' "$work/integrity.log" || die "NPopenmpi did not check its data"
netpipe figures -p 0
printf '%12s %18s %18s\n' 'size (B)' 'latency (us)' 'bandwidth (MB/s)'
# bytes, Mb/s (of 2^20 bits), seconds one way
awk '{ for (size = 1; size < $1; size *= 4) continue
       if (size == $1) printf "%12d %18.2f %18.1f\n", $1, $3 * 1e6, $1 / $3 / 1e6 }' \
    "$work/figures.out"
echo "ok netpipe: up to $upto B over $provider"
