# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Tests of what libfabric's interfaces promise. Each program prints TAP, a case a line, and stays on
# loopback by itself. `name.tap --provider "tcp;ofi_rxm"` holds another provider to the same.

check_LTLIBRARIES += %D%/libharness.la
%C%_libharness_la_SOURCES = \
	%D%/harness.cpp \
	%D%/harness.hpp \
	%D%/tap.cpp \
	%D%/tap.hpp \
	%D%/transfer.cpp
%C%_libharness_la_LIBADD = $(FABRIC_LIBS)

functional_programs = \
	%D%/atomics.tap \
	%D%/badinput.tap \
	%D%/completions.tap \
	%D%/counters.tap \
	%D%/dedup.tap \
	%D%/device.tap \
	%D%/faults.tap \
	%D%/fork.tap \
	%D%/getinfo.tap \
	%D%/hostile.tap \
	%D%/messages.tap \
	%D%/multirecv.tap \
	%D%/objects.tap \
	%D%/rma.tap \
	%D%/tagged.tap \
	%D%/options.tap \
	%D%/refusals.tap \
	%D%/shared_contexts.tap \
	%D%/threads.tap \
	%D%/triggered.tap \
	%D%/triggered_remote.tap \
	%D%/vectors.tap \
	%D%/waits.tap
check_PROGRAMS += $(functional_programs)

functional_libs = %D%/libharness.la $(FABRIC_LIBS) -lpthread

%C%_atomics_tap_SOURCES = \
	%D%/atomic_reference.cpp \
	%D%/atomic_reference.hpp \
	%D%/atomics.cpp \
	%D%/remote_cases.hpp
%C%_atomics_tap_LDADD = $(functional_libs)

%C%_badinput_tap_SOURCES = %D%/bad_cases.hpp %D%/bad_datagrams.cpp %D%/badinput.cpp
%C%_badinput_tap_LDADD = $(functional_libs)

%C%_completions_tap_SOURCES = \
	%D%/completion_cases.hpp \
	%D%/completion_waits.cpp \
	%D%/completions.cpp
%C%_completions_tap_LDADD = $(functional_libs)

%C%_counters_tap_SOURCES = %D%/counters.cpp
%C%_counters_tap_LDADD = $(functional_libs)

# Digests are compared with those of the libraries behind the standard tools.
%C%_dedup_tap_SOURCES = \
	%D%/dedup.cpp \
	%D%/dedup_cases.hpp \
	%D%/dedup_misuse.cpp \
	%D%/remote_cases.hpp
%C%_dedup_tap_LDADD = $(functional_libs) $(XXHASH_LIBS) $(CRYPTO_LIBS)

%C%_device_tap_SOURCES = %D%/device.cpp
%C%_device_tap_LDADD = $(functional_libs)

%C%_faults_tap_SOURCES = %D%/faults.cpp
%C%_faults_tap_LDADD = $(functional_libs)

%C%_fork_tap_SOURCES = %D%/fork.cpp
%C%_fork_tap_LDADD = $(functional_libs)

%C%_getinfo_tap_SOURCES = \
	%D%/getinfo.cpp \
	%D%/getinfo_address.cpp \
	%D%/getinfo_cases.hpp \
	%D%/getinfo_tunables.cpp
%C%_getinfo_tap_LDADD = $(functional_libs)

%C%_hostile_tap_SOURCES = \
	%D%/attacker.cpp \
	%D%/attacker.hpp \
	%D%/hostile.cpp \
	%D%/remote_cases.hpp
%C%_hostile_tap_LDADD = $(functional_libs)

%C%_messages_tap_SOURCES = %D%/message_cases.hpp %D%/message_flags.cpp %D%/messages.cpp
%C%_messages_tap_LDADD = $(functional_libs)

%C%_multirecv_tap_SOURCES = %D%/multirecv.cpp
%C%_multirecv_tap_LDADD = $(functional_libs)

%C%_objects_tap_SOURCES = \
	%D%/object_av.cpp \
	%D%/object_cases.hpp \
	%D%/object_class.cpp \
	%D%/object_eq_mr.cpp \
	%D%/objects.cpp
%C%_objects_tap_LDADD = $(functional_libs)

%C%_rma_tap_SOURCES = %D%/remote_cases.hpp %D%/rma.cpp %D%/rma_events.cpp %D%/rma_faults.cpp
%C%_rma_tap_LDADD = $(functional_libs)

%C%_tagged_tap_SOURCES = %D%/tagged.cpp
%C%_tagged_tap_LDADD = $(functional_libs)

%C%_threads_tap_SOURCES = %D%/threads.cpp
%C%_threads_tap_LDADD = $(functional_libs)

%C%_options_tap_SOURCES = %D%/options.cpp
%C%_options_tap_LDADD = $(functional_libs)

%C%_refusals_tap_SOURCES = \
	%D%/refusal_cases.hpp \
	%D%/refusals.cpp \
	%D%/refusals_remote.cpp \
	%D%/remote_cases.hpp
%C%_refusals_tap_LDADD = $(functional_libs)

%C%_shared_contexts_tap_SOURCES = %D%/shared_contexts.cpp
%C%_shared_contexts_tap_LDADD = $(functional_libs)

%C%_triggered_tap_SOURCES = %D%/triggered.cpp
%C%_triggered_tap_LDADD = $(functional_libs)

%C%_triggered_remote_tap_SOURCES = %D%/triggered_remote.cpp %D%/remote_cases.hpp
%C%_triggered_remote_tap_LDADD = $(functional_libs)

%C%_vectors_tap_SOURCES = %D%/vectors.cpp
%C%_vectors_tap_LDADD = $(functional_libs)

%C%_waits_tap_SOURCES = %D%/waits.cpp
%C%_waits_tap_LDADD = $(functional_libs)

# By hand: it moves 13 GiB, which on a loaded machine outlasts any watchdog.
check_PROGRAMS += %D%/large.tap
%C%_large_tap_SOURCES = %D%/large.cpp %D%/remote_cases.hpp
%C%_large_tap_LDADD = $(functional_libs)

# By hand and before a release: `make soak TIME=3600`. .ci/run has two minutes of it.
check_PROGRAMS += %D%/soak
%C%_soak_SOURCES = %D%/attacker.cpp %D%/attacker.hpp %D%/remote_cases.hpp %D%/soak.cpp
%C%_soak_LDADD = $(functional_libs)
soak: %D%/soak$(EXEEXT) prov/rill/librill-fi.la
	@$(AM_TESTS_ENVIRONMENT) FI_RILL_IFACE=lo %D%/soak$(EXEEXT) $(TIME)
.PHONY: soak

# The public header, as a C program takes it.
check_PROGRAMS += %D%/device_header
TESTS += %D%/device_header
%C%_device_header_SOURCES = %D%/device_header.c
%C%_device_header_CFLAGS = $(AM_CFLAGS) -std=c99 -pedantic -Werror
%C%_device_header_LDADD = $(FABRIC_LIBS)

# The tools beside rill, and a process for them to look at.
check_PROGRAMS += %D%/observed
%C%_observed_SOURCES = %D%/observed.cpp
%C%_observed_LDADD = $(functional_libs)
dist_check_SCRIPTS += %D%/checkpoint.sh %D%/tools.sh
TESTS += %D%/checkpoint.sh %D%/tools.sh

# Once more with packets lost, doubled and out of order, where data moves.
functional_impaired = \
	%D%/impaired-atomics.tap \
	%D%/impaired-counters.tap \
	%D%/impaired-dedup.tap \
	%D%/impaired-messages.tap \
	%D%/impaired-multirecv.tap \
	%D%/impaired-rma.tap \
	%D%/impaired-shared_contexts.tap \
	%D%/impaired-tagged.tap \
	%D%/impaired-triggered.tap

# And once more over UDP alone, where how packets travel matters.
functional_udp = \
	%D%/udp-atomics.tap \
	%D%/udp-completions.tap \
	%D%/udp-dedup.tap \
	%D%/udp-messages.tap \
	%D%/udp-multirecv.tap \
	%D%/udp-rma.tap \
	%D%/udp-tagged.tap \
	%D%/udp-threads.tap \
	%D%/udp-waits.tap

# VARIANT-PROGRAM.tap runs the program under VARIANT.sh.
functional_variants = $(functional_impaired) $(functional_udp)
EXTRA_DIST += %D%/impaired.sh %D%/udp.sh
CLEANFILES += $(functional_variants)

$(functional_variants): $(srcdir)/%D%/impaired.sh $(srcdir)/%D%/udp.sh Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	name=`basename '$@'` && variant=`echo "$$name" | sed 's/-.*//'` && \
	printf '#!/bin/sh\nexec sh "%s" "./%s" "$$@"\n' "$(srcdir)/%D%/$$variant.sh" \
	    "%D%/$${name#*-}" > $@ && \
	chmod +x $@

# A generated test does not pull in the program it runs.
%D%/impaired-atomics.log: %D%/atomics.tap
%D%/impaired-counters.log: %D%/counters.tap
%D%/impaired-dedup.log: %D%/dedup.tap
%D%/impaired-messages.log: %D%/messages.tap
%D%/impaired-multirecv.log: %D%/multirecv.tap
%D%/impaired-rma.log: %D%/rma.tap
%D%/impaired-shared_contexts.log: %D%/shared_contexts.tap
%D%/impaired-tagged.log: %D%/tagged.tap
%D%/impaired-triggered.log: %D%/triggered.tap
%D%/udp-atomics.log: %D%/atomics.tap
%D%/udp-completions.log: %D%/completions.tap
%D%/udp-dedup.log: %D%/dedup.tap
%D%/udp-messages.log: %D%/messages.tap
%D%/udp-multirecv.log: %D%/multirecv.tap
%D%/udp-rma.log: %D%/rma.tap
%D%/udp-tagged.log: %D%/tagged.tap
%D%/udp-threads.log: %D%/threads.tap
%D%/udp-waits.log: %D%/waits.tap

TESTS += $(functional_programs) $(functional_variants)
