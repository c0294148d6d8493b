#!/bin/sh
# 1,000 clusters in virtual time, each another network, workload and set of faults: nothing is lost,
# doubled, changed, overtaken or left hanging.
exec "${top_builddir:-.}/prov/rill/sim/rill_sim" --seeds 1000 --from 1 --jobs 2
