# The simulated cluster. `make sim SEEDS=N SEED_FROM=K` runs it; `make check` runs 1,000 seeds, and
# looks whether a seed decides everything.
noinst_PROGRAMS += %D%/rill_sim
%C%_rill_sim_SOURCES = \
	%D%/chunk_ledger.cpp %D%/chunk_ledger.hpp \
	%D%/coverage.hpp \
	%D%/events.hpp \
	%D%/host.cpp %D%/host.hpp \
	%D%/journal.cpp %D%/journal.hpp \
	%D%/link.cpp \
	%D%/main.cpp \
	%D%/naming.hpp \
	%D%/network.cpp %D%/network.hpp \
	%D%/oracle.cpp %D%/oracle.hpp \
	%D%/payload.cpp %D%/payload.hpp \
	%D%/profile.cpp %D%/profile.hpp \
	%D%/remote_ledger.cpp %D%/remote_ledger.hpp \
	%D%/stack.hpp \
	%D%/verdict.cpp \
	%D%/workload.cpp %D%/workload.hpp \
	%D%/world.cpp %D%/world.hpp
%C%_rill_sim_LDADD = $(rill_core_lib)

rill_sim_checks = %D%/sim-1000.sh %D%/sim-replay.sh
dist_check_SCRIPTS += $(rill_sim_checks)
TESTS += $(rill_sim_checks)
