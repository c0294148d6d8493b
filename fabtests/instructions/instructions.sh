#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Whether hot paths have grown, in instructions. `make instructions` prints them and writes the record.
here=$(dirname "$0")
[ -z "$RILL_SANITIZERS" ] || { echo "skipped: sanitizers count as well"; exit 77; }
for tool in valgrind python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
exec python3 -B "$here/count" --build "$RILL_BUILD" "$@" "$top_builddir/fabtests/instructions/operations"
