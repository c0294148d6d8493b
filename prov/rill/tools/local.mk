# Tools beside the module; they know the rooms below fi, and share what looks at running processes.
rill_tool_sources = \
	prov/rill/src/fi/export_directories.cpp \
	%D%/running.cpp %D%/running.hpp \
	%D%/state.cpp %D%/state.hpp \
	%D%/table.cpp %D%/table.hpp

bin_PROGRAMS += %D%/rillctl
%C%_rillctl_SOURCES = %D%/rillctl.cpp prov/rill/src/fi/device_files.cpp $(rill_tool_sources)
%C%_rillctl_CPPFLAGS = $(AM_CPPFLAGS) $(rill_assert_flags)
%C%_rillctl_LDADD = $(rill_core_lib)

bin_PROGRAMS += %D%/rill_stat
%C%_rill_stat_SOURCES = \
	%D%/rill_stat.cpp \
	%D%/screen.cpp %D%/screen.hpp \
	%D%/stat_view.cpp %D%/stat_view.hpp \
	$(rill_tool_sources)
%C%_rill_stat_CPPFLAGS = $(AM_CPPFLAGS) $(rill_assert_flags)
%C%_rill_stat_LDADD = $(rill_core_lib)

# By hand: no test has a timed assertion.
check_PROGRAMS += %D%/dedup_bench
%C%_dedup_bench_SOURCES = %D%/dedup_bench.cpp
%C%_dedup_bench_LDADD = $(rill_core_lib) $(XXHASH_LIBS) $(CRYPTO_LIBS)

# Talks to rill through libfabric alone, as its users do.
bin_PROGRAMS += %D%/rill-checkpoint
%C%_rill_checkpoint_SOURCES = \
	%D%/checkpoint/chunk_store.cpp %D%/checkpoint/chunk_store.hpp \
	%D%/checkpoint/commands.hpp \
	%D%/checkpoint/fabric.cpp %D%/checkpoint/fabric.hpp \
	%D%/checkpoint/main.cpp \
	%D%/checkpoint/messages.hpp \
	%D%/checkpoint/receive.cpp \
	%D%/checkpoint/restore.cpp \
	%D%/checkpoint/send.cpp \
	%D%/checkpoint/snapshot.cpp %D%/checkpoint/snapshot.hpp
%C%_rill_checkpoint_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D% $(rill_assert_flags)
%C%_rill_checkpoint_LDADD = $(LIBFABRIC_LIBS)
