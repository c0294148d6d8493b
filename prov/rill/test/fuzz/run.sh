#!/usr/bin/env bash
# run.sh BIN CORPUS FOUND SECONDS FUZZER...: runs each fuzzer so long, as many at once as there are
# processors. It starts from its corpus in the tree and from what earlier runs have found, and adds to
# the latter. An input that breaks something is FOUND/NAME-crash-...; the status is then 1.
set -uo pipefail
bin=$1 corpus=$2 found=$3 seconds=$4
shift 4
mkdir -p "$found" || exit 1
run() {
    local name=$1
    mkdir -p "$found/$name"
    timeout -k 10 $((seconds + 120)) "$bin/$name" -max_total_time="$seconds" -timeout=60 -max_len=8192 -len_control=0 \
        -print_final_stats=1 -artifact_prefix="$found/$name-" "$found/$name" "$corpus/$name" \
        >"$found/$name.log" 2>&1
    local status=$?
    awk -v name="$name" -v status="$status" '
        /^#[0-9]+.*cov:/ { for (i = 1; i <= NF; i++) if ($i == "cov:") cov = $(i + 1) }
        /stat::number_of_executed_units/ { runs = $2 }
        END { printf "%-12s %s, %d runs, %d places reached\n", name, status ? "FAILED" : "clean", runs, cov }
    ' "$found/$name.log"
    ((status == 0)) || { tail -n 60 "$found/$name.log"; return 1; }
}
failed=0
for name in "$@"; do
    while (($(jobs -rp | wc -l) >= $(nproc))); do
        wait -n || failed=1
    done
    run "$name" &
done
while (($(jobs -p | wc -l))); do
    wait -n || failed=1
done
exit "$failed"
