#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# run-check.sh over UDP alone, as part of `make check`.

exec "$(dirname "${BASH_SOURCE[0]}")/run-check.sh" --udp "$@"
