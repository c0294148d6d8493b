# Unit tests, file for file as in src/. The name decides how a test is run and judged:
#   name.t  a Criterion program, each of its tests counted by itself (TAP);
#   name    a plain program or name.sh a script: exit status 0 passed, 77 skipped, else failed.
if HAVE_CRITERION
rill_unit_tests =

rill_unit_tests += %D%/util/seq.t
%C%_util_seq_t_SOURCES = %D%/util/seq.cpp
%C%_util_seq_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_util_seq_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/util/pool.t
%C%_util_pool_t_SOURCES = %D%/util/pool.cpp
%C%_util_pool_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_util_pool_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/util/iov.t
%C%_util_iov_t_SOURCES = %D%/util/iov.cpp
%C%_util_iov_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_util_iov_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/util/siphash.t
%C%_util_siphash_t_SOURCES = %D%/util/siphash.cpp
%C%_util_siphash_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_util_siphash_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/wire/packet.t
%C%_wire_packet_t_SOURCES = %D%/wire/packet.cpp
%C%_wire_packet_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_wire_packet_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/placement.t
%C%_nic_placement_t_SOURCES = %D%/nic/placement.cpp
%C%_nic_placement_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_placement_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/match_table.t
%C%_nic_match_table_t_SOURCES = %D%/nic/match_table.cpp
%C%_nic_match_table_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_match_table_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/bounce.t
%C%_nic_bounce_t_SOURCES = %D%/nic/bounce.cpp
%C%_nic_bounce_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_bounce_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/outbox.t
%C%_nic_outbox_t_SOURCES = %D%/nic/outbox.cpp
%C%_nic_outbox_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_outbox_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/util/guarded_copy.t
%C%_util_guarded_copy_t_SOURCES = %D%/util/guarded_copy.cpp
%C%_util_guarded_copy_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_util_guarded_copy_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/memory_regions.t
%C%_nic_memory_regions_t_SOURCES = %D%/nic/memory_regions.cpp
%C%_nic_memory_regions_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_memory_regions_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/atomic_ops.t
%C%_nic_atomic_ops_t_SOURCES = %D%/nic/atomic_ops.cpp
%C%_nic_atomic_ops_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_atomic_ops_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/outbox_remote.t
%C%_nic_outbox_remote_t_SOURCES = %D%/nic/outbox_remote.cpp
%C%_nic_outbox_remote_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_outbox_remote_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/config_space.t
%C%_nic_config_space_t_SOURCES = %D%/nic/config_space.cpp
%C%_nic_config_space_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_config_space_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/device_memory.t
%C%_nic_device_memory_t_SOURCES = %D%/nic/device_memory.cpp
%C%_nic_device_memory_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_device_memory_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/event_doorbell.t
%C%_nic_event_doorbell_t_SOURCES = %D%/nic/event_doorbell.cpp
%C%_nic_event_doorbell_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_event_doorbell_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/entry_checks.t
%C%_nic_entry_checks_t_SOURCES = %D%/nic/entry_checks.cpp
%C%_nic_entry_checks_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_entry_checks_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/function.t
%C%_nic_function_t_SOURCES = %D%/nic/function.cpp %D%/nic/function_host.hpp
%C%_nic_function_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_function_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/function_hostile.t
%C%_nic_function_hostile_t_SOURCES = %D%/nic/function_hostile.cpp %D%/nic/function_host.hpp
%C%_nic_function_hostile_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_function_hostile_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/function_interrupts.t
%C%_nic_function_interrupts_t_SOURCES = %D%/nic/function_interrupts.cpp %D%/nic/function_host.hpp
%C%_nic_function_interrupts_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_function_interrupts_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/nic/function_resources.t
%C%_nic_function_resources_t_SOURCES = %D%/nic/function_resources.cpp %D%/nic/function_host.hpp
%C%_nic_function_resources_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_nic_function_resources_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/rdm/device.t
%C%_rdm_device_t_SOURCES = %D%/rdm/device.cpp %D%/rdm/hosts.hpp
%C%_rdm_device_t_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/prov/rill $(CRITERION_CFLAGS)
%C%_rdm_device_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

rill_unit_tests += %D%/rdm/dedup.t
%C%_rdm_dedup_t_SOURCES = %D%/rdm/dedup.cpp %D%/rdm/hosts.hpp
%C%_rdm_dedup_t_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/prov/rill $(CRITERION_CFLAGS)
%C%_rdm_dedup_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS)

check_PROGRAMS += $(rill_unit_tests)
TESTS += $(rill_unit_tests)
endif

include %D%/dedup/local.mk
include %D%/fuzz/local.mk
include %D%/link/local.mk
include %D%/model/local.mk
include %D%/obs/local.mk
include %D%/transport/local.mk
