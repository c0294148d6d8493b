#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Verifies MPI over rill with rill_mpi_check, at 2, 4 and 8 ranks.

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<EOF
usage: $script [OPTION]... [PART]...
  --np N[,N]...   numbers of ranks (default: 2,4,8)
  --seed N        of data and orders
  --skip PART     leave out (may be repeated)
  --list          name the parts
$common_usage
The part 'huge' runs with the first number of ranks only: it is between two of them.
EOF
}

numbers=2,4,8
timeout_seconds=600
options=()
parts=()
list=
while (($#)); do
    common_option "$@"
    if ((taken)); then
        shift "$taken"
        continue
    fi
    case $1 in
    --np) want_value "$@" && numbers=$2 && shift ;;
    --seed | --skip) want_value "$@" && options+=("$1" "$2") && shift ;;
    --list) list=1 ;;
    -h | --help) usage && exit ;;
    -*) not_understood "$1" ;;
    *) parts+=("$1") ;;
    esac
    shift
done
[[ $numbers =~ ^[0-9]+(,[0-9]+)*$ ]] || die "--np wants numbers with commas between, not '$numbers'"

check=$(program rill_mpi_check)
if [[ -n $list ]]; then
    "$check" --list
    exit
fi
use_provider
use_mpi
make_work

# run_ranks NP OPTION...: one job; false when anything in it is wrong.
run_ranks() {
    local np=$1 log=$work/check-$1.log status=0
    shift
    start "$timeout_seconds" "$log" "${mpirun[@]}" --mca osc_base_verbose 100 -np "$np" \
        "$check" --deadline "$timeout_seconds" "${options[@]}" "$@" "${parts[@]}"
    finish "$timeout_seconds" || status=$?
    show "$log" | grep -av 'pt2pt component destroying window' || true
    expect_provider "$np" "$log" || return 1
    # What the component says when a window of its own ends.
    if grep -aqE '^ok (fence|locks|window_atomics|post_start) ' "$log" &&
        ! grep -aqF 'pt2pt component destroying window' "$log"; then
        echo "$script: windows did not go by messages" >&2
        return 1
    fi
    return "$status"
}

failed=()
extra=()
for np in ${numbers//,/ }; do
    begun=$SECONDS
    run_ranks "$np" "${extra[@]}" || failed+=("$np")
    echo "== $np ranks over $provider: $((SECONDS - begun)) s"
    extra=(--skip huge)
done
((${#failed[@]} == 0)) || die "failed with ${failed[*]} ranks"
