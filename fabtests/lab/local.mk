# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Hosts, routers and switches out of namespaces. See README.md.

TESTS += %D%/lab-check.sh
dist_check_SCRIPTS += %D%/lab-check.sh
dist_noinst_SCRIPTS += %D%/agent %D%/run %D%/udp_capacity.py
EXTRA_DIST += \
	%D%/README.md \
	%D%/bench.py \
	%D%/jobs.py \
	%D%/mpi.py \
	%D%/network.py \
	%D%/networks.py \
	%D%/tables.py
