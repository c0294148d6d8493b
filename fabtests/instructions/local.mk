# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Instructions of hot paths, counted by callgrind and compared with those on record.
check_PROGRAMS += %D%/operations
%C%_operations_SOURCES = %D%/operations.cpp
%C%_operations_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/fabtests
%C%_operations_LDADD = fabtests/functional/libharness.la $(FABRIC_LIBS) -ldl

instructions_check = %D%/instructions.sh
dist_check_SCRIPTS += $(instructions_check)
dist_noinst_SCRIPTS += %D%/count
EXTRA_DIST += %D%/instructions.tsv
TESTS += $(instructions_check)

.PHONY: instructions
instructions: all %D%/operations
	@$(AM_TESTS_ENVIRONMENT) sh $(srcdir)/fabtests/instructions/instructions.sh --record
