# Room transport: its nouns one by one, then whole transports over a network in memory.
if HAVE_CRITERION
rill_transport_tests = \
	%D%/congestion.t \
	%D%/context_table.t \
	%D%/credit.t \
	%D%/deadlines.t \
	%D%/eviction.t \
	%D%/hello.t \
	%D%/path.t \
	%D%/path_health.t \
	%D%/paths.t \
	%D%/receive_window.t \
	%D%/rtt.t \
	%D%/send_window.t \
	%D%/state.t \
	%D%/tombstones.t \
	%D%/train.t \
	%D%/transport.t
check_PROGRAMS += $(rill_transport_tests)
TESTS += $(rill_transport_tests)

%C%_congestion_t_SOURCES = %D%/congestion.cpp
%C%_congestion_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_congestion_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_context_table_t_SOURCES = %D%/context_table.cpp
%C%_context_table_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_context_table_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_credit_t_SOURCES = %D%/credit.cpp
%C%_credit_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_credit_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_deadlines_t_SOURCES = %D%/deadlines.cpp
%C%_deadlines_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_deadlines_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_eviction_t_SOURCES = %D%/eviction.cpp %D%/net.hpp
%C%_eviction_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_eviction_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_hello_t_SOURCES = %D%/hello.cpp
%C%_hello_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_hello_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_path_t_SOURCES = %D%/path.cpp
%C%_path_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_path_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_path_health_t_SOURCES = %D%/path_health.cpp
%C%_path_health_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_path_health_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_paths_t_SOURCES = %D%/paths.cpp %D%/net.hpp
%C%_paths_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_paths_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_receive_window_t_SOURCES = %D%/receive_window.cpp
%C%_receive_window_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_receive_window_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_rtt_t_SOURCES = %D%/rtt.cpp
%C%_rtt_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_rtt_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_send_window_t_SOURCES = %D%/send_window.cpp
%C%_send_window_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_send_window_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_state_t_SOURCES = %D%/state.cpp
%C%_state_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_state_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_tombstones_t_SOURCES = %D%/tombstones.cpp
%C%_tombstones_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_tombstones_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_train_t_SOURCES = %D%/train.cpp
%C%_train_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_train_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

%C%_transport_t_SOURCES = %D%/transport.cpp %D%/net.hpp
%C%_transport_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_transport_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)
endif
