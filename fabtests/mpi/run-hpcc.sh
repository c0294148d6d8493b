#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The HPC Challenge benchmark on its real input file, over rill. Every verification that HPCC makes
# must be there in its output, and passed.

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

input=/usr/share/doc/hpcc/examples/_hpccinf.txt

usage() {
    cat <<EOF
usage: $script [OPTION]...
  --np N          ranks (default: 4, for which the input file is taken as it is; for another
                  number its process grid is made to fit, or HPL would be skipped)
  --keep FILE     copy HPCC's output there
$common_usage
EOF
}

np=4
timeout_seconds=900
keep=
while (($#)); do
    common_option "$@"
    if ((taken)); then
        shift "$taken"
        continue
    fi
    case $1 in
    --np) want_number "$@" && np=$2 && shift ;;
    --keep) want_value "$@" && keep=$2 && shift ;;
    -h | --help) usage && exit ;;
    *) not_understood "$1" ;;
    esac
    shift
done

need_command hpcc hpcc
[[ -r $input ]] || die "HPCC's input file $input is not there"
use_provider
use_mpi
make_work

# The process grid P x Q, as square as it gets with P <= Q.
rows=1
for ((p = 1; p * p <= np; p++)); do
    ((np % p)) || rows=$p
done
columns=$((np / rows))
sed -E "s/^[0-9]+( +Ps)\$/$rows\1/; s/^[0-9]+( +Qs)\$/$columns\1/" "$input" >"$work/hpccinf.txt"
if ((np == 4)) && ! cmp -s "$input" "$work/hpccinf.txt"; then
    die "$input does not have the 2x2 grid that was expected"
fi

export FI_RILL_STATS=1 # for what is said of placement
begun=$SECONDS
status=0
start "$timeout_seconds" "$work/log" "${mpirun[@]}" -np "$np" -wdir "$work" hpcc
finish "$timeout_seconds" || status=$?
seconds=$((SECONDS - begun))
out=$work/hpccoutf.txt
[[ -z $keep || ! -e $out ]] || cp "$out" "$keep"
if ((status)); then
    show "$work/log" >&2
    [[ ! -e $out ]] || tail -n 20 "$out" >&2
    die "hpcc ended with code $status after $seconds s"
fi
expect_provider "$np" "$work/log"
[[ -s $out ]] || die "hpcc left no hpccoutf.txt"

# --- what it says --------------------------------------------------------------------------------

wrong=0
wrong() {
    echo "FAIL hpcc: $*"
    wrong=$((wrong + 1))
}

section() {
    sed -n "/^Begin of $1 section\.\$/,/^End of $1 section\.\$/p" "$out"
}

# A value of the summary; nothing when it is not there.
summary() {
    section Summary | sed -n "s/^$1=//p"
}

# The number before a text, in a section: "    5 tests completed and passed residual checks."
number_before() {
    section "$1" | sed -nE "s/^(Finished)? *([0-9]+) +$2.*/\2/p"
}

expect_number() { # what, number found, condition in awk's words on x
    if [[ -z $2 ]]; then
        wrong "$1 is not in the output"
    elif ! awk -v x="$2" "BEGIN { exit !(x + 0 == x && ($3)) }"; then
        wrong "$1 is $2"
    fi
}

for name in MPIRandomAccess StarRandomAccess SingleRandomAccess \
    MPIRandomAccess_LCG StarRandomAccess_LCG SingleRandomAccess_LCG PTRANS StarDGEMM SingleDGEMM \
    StarSTREAM SingleSTREAM MPIFFT StarFFT SingleFFT LatencyBandwidth HPL; do
    section "$name" | grep -qx "End of $name section\." || wrong "section $name is missing or cut"
done

expect_number "Success" "$(summary Success)" 'x == 1'
expect_number "CommWorldProcs" "$(summary CommWorldProcs)" "x == $np"
grep -qw FAILED "$out" && wrong "$(grep -w FAILED "$out" | head -n 1)"

# HPL and PTRANS count their own tests.
for name in HPL PTRANS; do
    expect_number "$name: tests passed" "$(number_before $name 'tests completed and passed')" 'x > 0'
    expect_number "$name: tests failed" "$(number_before $name 'tests completed and failed')" 'x == 0'
    expect_number "$name: tests skipped" "$(number_before $name 'tests skipped')" 'x == 0'
    section $name | grep -qw PASSED || wrong "$name: nothing PASSED"
done
expect_number HPL_nprow "$(summary HPL_nprow)" "x == $rows"
expect_number HPL_npcol "$(summary HPL_npcol)" "x == $columns"
expect_number "HPL_Tflops" "$(summary HPL_Tflops)" 'x > 0'
expect_number "PTRANS_residual" "$(summary PTRANS_residual)" 'x >= 0 && x < 16'

# HPCC allows RandomAccess 1 % of errors, since updates may race; its MPI versions have no such race.
for name in MPIRandomAccess MPIRandomAccess_LCG; do
    expect_number "${name}_Errors" "$(summary ${name}_Errors)" 'x == 0'
    expect_number "${name}_GUPs" "$(summary ${name}_GUPs)" 'x > 0'
done
for name in MPIRandomAccess StarRandomAccess MPIRandomAccess_LCG StarRandomAccess_LCG; do
    section "$name" | grep -qE '^Found [0-9]+ errors in [0-9]+ locations \(passed\)\.$' ||
        wrong "$name did not pass its verification"
done

# Every section that runs on single nodes says how many of them had an error.
for name in StarRandomAccess SingleRandomAccess StarRandomAccess_LCG SingleRandomAccess_LCG \
    StarDGEMM SingleDGEMM StarSTREAM SingleSTREAM StarFFT SingleFFT; do
    expect_number "$name: nodes with an error" \
        "$(section "$name" | sed -n 's/^Node(s) with error //p')" 'x == 0'
done
expect_number "StarDGEMM: scaled residual" \
    "$(section StarDGEMM | sed -n 's/^Scaled residual: //p')" 'x >= 0 && x < 16'
section StarSTREAM | grep -q '^Solution Validates' || wrong "StarSTREAM: the solution does not validate"
grep -qi 'failed validation' "$out" && wrong "STREAM: failed validation"

for name in MPIFFT StarFFT; do
    expect_number "$name: largest error" \
        "$(section $name | sed -n 's/^max(|x-x0|): *//p')" 'x >= 0 && x < 1e-12'
done
for name in MPIFFT_Gflops MaxPingPongLatency_usec MinPingPongBandwidth_GBytes \
    RandomlyOrderedRingLatency_usec RandomlyOrderedRingBandwidth_GBytes; do
    expect_number "$name" "$(summary $name)" 'x > 0'
done

# Payload of all ranks, by the way that it took to its buffer.
placement() {
    awk '$1 == "rill:counters" { sum[$2] += $3; seen++ }
        END {
            direct = sum["rx_direct_bytes"]
            all = direct + sum["rx_indirect_bytes"]
            if (!seen) print "no counters"
            else printf "%.1f %% of %.2f GB straight into posted buffers\n",
                all ? 100 * direct / all : 0, all / 1e9
        }' "$work/log"
}

((wrong == 0)) || die "$wrong of HPCC's results are wrong or missing"
cat <<EOF
ok hpcc: $np ranks over $provider, $seconds s, every verification passed
  HPL             $(number_before HPL 'tests completed and passed') passed, N=$(summary HPL_N), P x Q = $(summary HPL_nprow) x $(summary HPL_npcol), $(summary HPL_Tflops) Tflop/s
  PTRANS          $(number_before PTRANS 'tests completed and passed') passed, $(summary PTRANS_GBs) GB/s
  RandomAccess    $(summary MPIRandomAccess_Errors) and $(summary MPIRandomAccess_LCG_Errors) errors, $(summary MPIRandomAccess_GUPs) GUP/s
  FFT             largest error $(summary MPIFFT_maxErr), $(summary MPIFFT_Gflops) Gflop/s
  ping-pong       $(summary AvgPingPongLatency_usec) us, $(summary AvgPingPongBandwidth_GBytes) GB/s
  random ring     $(summary RandomlyOrderedRingLatency_usec) us, $(summary RandomlyOrderedRingBandwidth_GBytes) GB/s
EOF
[[ $provider != rill ]] || echo "  placement       $(placement)"
