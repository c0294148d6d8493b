# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# MPI over rill, and what processes may do to each other. See run-check.sh, run-hpcc.sh,
# run-netpipe.sh, run-unprivileged.sh and run-faults.sh.

noinst_PROGRAMS += %D%/rill_fault_exchange %D%/rill_fault_peer

%C%_fault_common = \
	%D%/faults/endpoint.cpp \
	%D%/faults/endpoint.hpp \
	%D%/faults/processes.cpp \
	%D%/faults/processes.hpp

%C%_rill_fault_exchange_SOURCES = $(%C%_fault_common) %D%/faults/exchange.cpp
%C%_rill_fault_exchange_LDADD = $(FABRIC_LIBS)

%C%_rill_fault_peer_SOURCES = $(%C%_fault_common) %D%/faults/fault_peer.cpp
%C%_rill_fault_peer_LDADD = $(FABRIC_LIBS)

if HAVE_MPI

noinst_PROGRAMS += \
	%D%/rill_fault_busy \
	%D%/rill_fault_endure \
	%D%/rill_mpi_check \
	%D%/rill_mpi_incast \
	%D%/rill_mpi_pingpong

# The C interface only: mpi.h otherwise brings in C++ bindings that need a library of their own.
%C%_mpi_cxxflags = $(AM_CXXFLAGS) -DOMPI_SKIP_MPICXX $(MPI_CFLAGS)

%C%_rill_mpi_check_SOURCES = \
	%D%/cancel.cpp \
	%D%/check.cpp \
	%D%/check.hpp \
	%D%/collectives.cpp \
	%D%/communicators.hpp \
	%D%/crossings.cpp \
	%D%/elements.hpp \
	%D%/main.cpp \
	%D%/modes.cpp \
	%D%/nonblocking_collectives.cpp \
	%D%/onesided.cpp \
	%D%/ordering.cpp \
	%D%/outstanding.cpp \
	%D%/persistent.cpp \
	%D%/probes.cpp \
	%D%/reductions.cpp \
	%D%/self.cpp \
	%D%/sizes.cpp \
	%D%/truncation.cpp \
	%D%/unexpected.cpp \
	%D%/wildcards.cpp
%C%_rill_mpi_check_CXXFLAGS = $(%C%_mpi_cxxflags)
%C%_rill_mpi_check_LDADD = $(MPI_LIBS)

%C%_rill_mpi_incast_SOURCES = %D%/rill_mpi_incast.cpp
%C%_rill_mpi_incast_CXXFLAGS = $(%C%_mpi_cxxflags)
%C%_rill_mpi_incast_LDADD = $(MPI_LIBS)

%C%_rill_mpi_pingpong_SOURCES = %D%/rill_mpi_pingpong.cpp
%C%_rill_mpi_pingpong_CXXFLAGS = $(%C%_mpi_cxxflags)
%C%_rill_mpi_pingpong_LDADD = $(MPI_LIBS)

%C%_rill_fault_busy_SOURCES = %D%/check.cpp %D%/check.hpp %D%/faults/busy.cpp
%C%_rill_fault_busy_CXXFLAGS = $(%C%_mpi_cxxflags) -I$(srcdir)/%D%
%C%_rill_fault_busy_LDADD = $(MPI_LIBS)

%C%_rill_fault_endure_SOURCES = %D%/check.cpp %D%/check.hpp %D%/faults/endure.cpp
%C%_rill_fault_endure_CXXFLAGS = $(%C%_mpi_cxxflags) -I$(srcdir)/%D%
%C%_rill_fault_endure_LDADD = $(MPI_LIBS)

TESTS += %D%/run-check.sh %D%/udp-check.sh %D%/quick-faults.sh

endif

dist_check_SCRIPTS += %D%/run-check.sh %D%/udp-check.sh %D%/quick-faults.sh
dist_noinst_SCRIPTS += \
	%D%/run-faults.sh \
	%D%/run-hpcc.sh \
	%D%/run-netpipe.sh \
	%D%/run-unprivileged.sh
EXTRA_DIST += %D%/common.sh
