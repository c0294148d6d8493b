# Room obs.
if HAVE_CRITERION
rill_obs_tests = %D%/exporter.t %D%/snapshot.t
check_PROGRAMS += $(rill_obs_tests)
TESTS += $(rill_obs_tests)

%C%_exporter_t_SOURCES = %D%/exporter.cpp
%C%_exporter_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_exporter_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_snapshot_t_SOURCES = %D%/snapshot.cpp
%C%_snapshot_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_snapshot_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)
endif
