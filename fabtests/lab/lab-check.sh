#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The lab as part of `make check`: whether things work between two hosts, not how fast.
here=$(dirname "$0")
[ -z "$RILL_SANITIZERS" ] || { echo "skipped: programs of other builds run in the lab"; exit 77; }
for tool in unshare nsenter ip tc nft python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
labs=quick
[ ! -x "$top_builddir/fabtests/mpi/rill_mpi_check" ] || labs="$labs onesided"
# shellcheck disable=SC2086 # words
exec python3 -B "$here/run" --build "$top_builddir" $labs
