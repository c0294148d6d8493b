# Tools beside the module; they know the rooms below fi.
bin_PROGRAMS += %D%/rillctl
%C%_rillctl_SOURCES = %D%/device_files.cpp %D%/device_files.hpp %D%/rillctl.cpp
%C%_rillctl_CPPFLAGS = $(AM_CPPFLAGS) $(rill_assert_flags)
%C%_rillctl_LDADD = $(rill_core_lib)
