#!/bin/sh
# A seed decides everything: run twice, in two processes, it gives the same trace. Otherwise a failure
# could not be replayed.
sim="${top_builddir:-.}/prov/rill/sim/rill_sim"
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
for run in first second; do
    "$sim" --seeds 40 --from 1 --hash >"$scratch/$run" || exit 1
done
grep hash "$scratch/first" >"$scratch/a"
grep hash "$scratch/second" >"$scratch/b"
if ! [ -s "$scratch/a" ] || ! cmp "$scratch/a" "$scratch/b"; then
    echo "two runs of the same seeds differ"
    exit 1
fi
echo "two runs of $(wc -l <"$scratch/a") seeds are the same"
