#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What processes may do to each other: die, fall silent, compute without calling in, be stopped
# all together, and leave at any moment.

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<EOF
usage: $script [OPTION]... [TEST]...
tests (default: all):
  kill    a process is killed; operations with it fail in bounded time, no others do
  silent  a process is stopped for good; the same
  busy    a rank computes without calling MPI; what it has receives for arrives meanwhile
  stop    all ranks are stopped, and continued one second apart
  exits   start, exchange, exit, many times over a lossy link
options:
  --seconds S     how long to compute and to stop (default: 60)
  --count N       how many exits (default: 1000)
  --quick         as --seconds 5 --count 50 --np 2
  --np N          ranks of busy and stop (default: 4)
  --handful N     retransmissions that a busy rank may draw (default: 20)
  --log FILE      keep what the failed test printed
$common_usage
FI_RILL_PEER_TIMEOUT, in milliseconds, is the time in which a death must show (3000 unless set).
EOF
}

seconds=60
count=1000
np=4
handful=20
keep_log=
timeout_seconds=1800
tests=()
while (($#)); do
    common_option "$@"
    if ((taken)); then
        shift "$taken"
        continue
    fi
    case $1 in
    --seconds) want_number "$@" && seconds=$2 && shift ;;
    --count) want_number "$@" && count=$2 && shift ;;
    # Two ranks: with more than two cores' worth of them, what waits for a processor is sent again.
    --quick) seconds=5 count=50 np=2 ;;
    --np) want_number "$@" && np=$2 && shift ;;
    --handful) want_number "$@" && handful=$2 && shift ;;
    --log) want_value "$@" && keep_log=$2 && shift ;;
    -h | --help) usage && exit ;;
    kill | silent | busy | stop | exits) tests+=("$1") ;;
    *) not_understood "$1" ;;
    esac
    shift
done
((${#tests[@]})) || tests=(kill silent busy stop exits)
use_provider
make_work
: >"$work/log"

# What goes wrong beside the exit code of a program.
complain() {
    echo "FAIL $current: $*"
    return 1
}

# --- a process dies ------------------------------------------------------------------------------

death() {
    local way=$1 slack_ms=1500 # for processes to be scheduled on a busy host
    local peer_timeout_ms=${FI_RILL_PEER_TIMEOUT:-3000} status=0 peer
    peer=$(program rill_fault_peer) || return
    FI_RILL_PEER_TIMEOUT=$peer_timeout_ms start "$timeout_seconds" "$work/log" \
        "$peer" "$way" "$((peer_timeout_ms + slack_ms))"
    finish "$timeout_seconds" || status=$?
    show "$work/log"
    ((status == 0)) || complain "see above; allowed were $peer_timeout_ms + $slack_ms ms"
}

test_kill() { death kill; }
test_silent() { death stop; }

# --- a rank computes -----------------------------------------------------------------------------

test_busy() {
    local status=0 busy options=(--seconds "$seconds") retransmissions
    busy=$(program rill_fault_busy) || return
    use_mpi
    # Other providers make no progress for a program that does not call in.
    [[ $provider == rill ]] || options+=(--no-meanwhile)
    FI_RILL_STATS=1 start "$timeout_seconds" "$work/log" "${mpirun[@]}" -np "$np" \
        "$busy" "${options[@]}"
    finish "$timeout_seconds" || status=$?
    show "$work/log"
    ((status == 0)) || complain "the job failed with code $status" || return
    expect_provider "$np" "$work/log" || return
    [[ $provider == rill ]] || return 0
    retransmissions=$(awk -v np="$np" '
        $1 == "rill:counters" && $2 == "tx_retransmits" { sum += $3; ranks++ }
        END { if (ranks == np - 1) print sum }' "$work/log") # all but the busy one
    [[ -n $retransmissions ]] || complain "not every rank printed rill:counters tx_retransmits" ||
        return
    echo "  retransmissions: $retransmissions"
    ((retransmissions <= handful)) || complain "$retransmissions retransmissions, not a handful"
}

# --- all ranks are stopped -----------------------------------------------------------------------

state_of() { # the letter in /proc; nothing when the process is gone
    sed -E 's/.*\) ([A-Z]).*/\1/' "/proc/$1/stat" 2>/dev/null || true
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        kill -0 "$job" 2>/dev/null || complain "the job ended before $what" || return
        ((SECONDS < end)) || complain "not in time: $what" || return
        sleep 0.2
    done
}

rounds() { grep -ac '^round ' "$work/log" || true; }
has_rounds() { (($(rounds) >= $1)); }
has_pids() { (($(grep -ac '^pid ' "$work/log") == np)); }

test_stop() {
    local status=0 endure pids pid before i
    endure=$(program rill_fault_endure) || return
    use_mpi
    rm -f "$work/enough"
    start "$timeout_seconds" "$work/log" "${mpirun[@]}" -np "$np" "$endure" "$work/enough"
    wait_for 60 "all ranks started" has_pids || return
    wait_for 60 "the first rounds" has_rounds 2 || return
    mapfile -t pids < <(sed -n 's/^pid [0-9]* //p' "$work/log")

    kill -STOP "${pids[@]}"
    sleep 0.5
    for pid in "${pids[@]}"; do
        [[ $(state_of "$pid") == T ]] || complain "process $pid is not stopped" || return
    done
    echo "  $np ranks stopped for $seconds s"
    for ((i = 0; i < seconds; i++)); do
        sleep 1 # a signal to this script waits for the end of the sleep
    done
    for pid in "${pids[@]}"; do
        kill -CONT "$pid" || complain "process $pid is gone" || return
        sleep 1
    done
    before=$(rounds)
    wait_for 60 "rounds after the stop" has_rounds $((before + 2)) || return
    : >"$work/enough"
    finish "$timeout_seconds" || status=$?
    show "$work/log" | grep -avE '^(pid|round) ' || true
    ((status == 0)) || complain "the job failed with code $status" || return
    expect_provider "$np" "$work/log"
}

# --- processes leave -----------------------------------------------------------------------------

test_exits() {
    local status=0 exchange impair=${FI_RILL_IMPAIR:-loss=0.05}
    exchange=$(program rill_fault_exchange) || return
    FI_RILL_IMPAIR=$impair start "$timeout_seconds" "$work/log" "$exchange" --count "$count"
    finish "$timeout_seconds" || status=$?
    show "$work/log"
    ((status == 0)) || complain "with $impair: exit code $status"
}

failed=()
for current in "${tests[@]}"; do
    begun=$SECONDS
    if "test_$current"; then
        echo "ok $current: over $provider, $((SECONDS - begun)) s"
    else
        failed+=("$current")
        [[ -z $keep_log ]] || cp "$work/log" "$keep_log"
        if [[ -n $job ]]; then
            kill -TERM "$job" 2>/dev/null || true
            finish "$timeout_seconds" || true
            show "$work/log" | tail -n 20
        fi
    fi
done
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
