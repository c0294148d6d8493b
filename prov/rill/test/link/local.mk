# Room link. Traffic of these tests stays on the loopback.
if HAVE_CRITERION
rill_link_tests = %D%/fast_clock.t %D%/hardware.t %D%/impair.t %D%/impaired_link.t \
	%D%/interfaces.t %D%/shm.t \
	%D%/udp_link.t
check_PROGRAMS += $(rill_link_tests)
TESTS += $(rill_link_tests)

%C%_impair_t_SOURCES = %D%/impair.cpp
%C%_impair_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_impair_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_impaired_link_t_SOURCES = %D%/impaired_link.cpp
%C%_impaired_link_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_impaired_link_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_fast_clock_t_SOURCES = %D%/fast_clock.cpp
%C%_fast_clock_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_fast_clock_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_hardware_t_SOURCES = %D%/hardware.cpp
%C%_hardware_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_hardware_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_interfaces_t_SOURCES = %D%/interfaces.cpp
%C%_interfaces_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_interfaces_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_shm_t_SOURCES = %D%/shm.cpp
%C%_shm_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_shm_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_udp_link_t_SOURCES = %D%/udp_link.cpp
%C%_udp_link_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_udp_link_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)
endif
