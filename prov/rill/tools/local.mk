# Tools beside the module; they know the rooms below fi.
bin_PROGRAMS += %D%/rillctl
%C%_rillctl_SOURCES = %D%/rillctl.cpp prov/rill/src/fi/device_files.cpp
%C%_rillctl_CPPFLAGS = $(AM_CPPFLAGS) $(rill_assert_flags)
%C%_rillctl_LDADD = $(rill_core_lib)
