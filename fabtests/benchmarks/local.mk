# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Benchmarks that reach rill, and every other provider, only through libfabric.
# This directory must not become an include path: its script `compare` would be taken for the
# standard header of that name.

noinst_PROGRAMS += %D%/rill_bench %D%/udp_bare %D%/wake_up

%C%_bench_common = \
	%D%/load.hpp \
	%D%/options.cpp \
	%D%/options.hpp \
	%D%/process_pair.cpp \
	%D%/process_pair.hpp

%C%_rill_bench_SOURCES = \
	$(%C%_bench_common) \
	%D%/fabric_endpoint.cpp \
	%D%/fabric_endpoint.hpp \
	%D%/rill_bench.cpp
%C%_rill_bench_LDADD = $(LIBFABRIC_LIBS)

%C%_wake_up_SOURCES = \
	%D%/fabric_endpoint.cpp \
	%D%/fabric_endpoint.hpp \
	%D%/process_pair.cpp \
	%D%/process_pair.hpp \
	%D%/udp_socket.cpp \
	%D%/udp_socket.hpp \
	%D%/wake_up.cpp
%C%_wake_up_LDADD = $(LIBFABRIC_LIBS)

%C%_udp_bare_SOURCES = \
	$(%C%_bench_common) \
	%D%/udp_bare.cpp \
	%D%/udp_socket.cpp \
	%D%/udp_socket.hpp

dist_noinst_SCRIPTS += %D%/compare
