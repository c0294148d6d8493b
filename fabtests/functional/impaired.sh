#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# impaired.sh PROGRAM [ARGUMENT...]: runs a test over a UDP link that loses, doubles and reorders.
# The seed is fixed, so that a failure comes again.
FI_RILL_SHM=0
export FI_RILL_SHM
FI_RILL_IMPAIR="${FI_RILL_IMPAIR:-loss=0.01,dup=0.005,reorder=0.02,seed=7}"
export FI_RILL_IMPAIR
exec "$@"
