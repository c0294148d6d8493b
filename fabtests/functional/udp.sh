#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# udp.sh PROGRAM [ARGUMENT...]: runs a test as between two hosts: what processes of one host share
# is not used.
FI_RILL_SHM=0
export FI_RILL_SHM
exec "$@"
