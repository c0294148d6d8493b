#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# run-faults.sh as part of `make check`: all its tests, for seconds instead of minutes, as they come
# on one host and as they would between two.
set -e

faults=$(dirname "${BASH_SOURCE[0]}")/run-faults.sh
"$faults" --quick "$@"
exec "$faults" --quick --udp "$@"
