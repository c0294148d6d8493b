rill_core_sources += \
	%D%/adapter.cpp %D%/adapter.hpp \
	%D%/address_handles.hpp \
	%D%/atomic_ops.cpp %D%/atomic_ops.hpp \
	%D%/admin.hpp \
	%D%/admin_checks.hpp \
	%D%/admin_commands.cpp \
	%D%/bus.hpp \
	%D%/card.hpp \
	%D%/completion_ring.hpp \
	%D%/bounce.cpp %D%/bounce.hpp \
	%D%/config_dump.cpp %D%/config_dump.hpp \
	%D%/config_functions.cpp %D%/config_functions.hpp \
	%D%/config_image.cpp %D%/config_image.hpp \
	%D%/config_space.cpp %D%/config_space.hpp \
	%D%/dedup_commands.cpp \
	%D%/dedup_placement.cpp \
	%D%/dedup_unit.cpp %D%/dedup_unit.hpp \
	%D%/describe.cpp %D%/describe.hpp \
	%D%/device.cpp %D%/device.hpp \
	%D%/device_memory.cpp %D%/device_memory.hpp \
	%D%/device_type.cpp %D%/device_type.hpp \
	%D%/dma.hpp \
	%D%/entries.hpp \
	%D%/entry_checks.hpp \
	%D%/fetches.cpp \
	%D%/flow_table.hpp \
	%D%/event_doorbell.hpp \
	%D%/function.cpp %D%/function.hpp \
	%D%/inbound.hpp \
	%D%/match_table.cpp %D%/match_table.hpp \
	%D%/memory_regions.cpp %D%/memory_regions.hpp \
	%D%/outbox.cpp %D%/outbox.hpp \
	%D%/outbox_remote.cpp \
	%D%/placement.hpp \
	%D%/queue_pair.hpp \
	%D%/receive_engine.cpp \
	%D%/receive_queue.cpp \
	%D%/remote_checks.hpp \
	%D%/remote_engine.cpp \
	%D%/remote_flows.hpp \
	%D%/registers.hpp \
	%D%/rx_flow.hpp \
	%D%/send_engine.cpp \
	%D%/send_flows.hpp \
	%D%/shipped_types.hpp \
	%D%/write_batch.hpp
