# Room fi: the libfabric objects; goes into the module only.
rill_fi_sources += \
	%D%/address.cpp %D%/address.hpp \
	%D%/address_range.cpp %D%/address_range.hpp \
	%D%/address_vector.cpp %D%/address_vector.hpp \
	%D%/atomic.cpp %D%/atomic.hpp \
	%D%/attributes.cpp %D%/attributes.hpp \
	%D%/common.hpp \
	%D%/completion_queue.cpp %D%/completion_queue.hpp \
	%D%/counter.cpp %D%/counter.hpp \
	%D%/deferred_work.cpp %D%/deferred_work.hpp \
	%D%/dedup.cpp %D%/dedup.hpp \
	%D%/dedup_operations.cpp \
	%D%/device_operations.cpp %D%/device_operations.hpp \
	%D%/device_files.cpp %D%/device_files.hpp \
	%D%/domain.cpp %D%/domain.hpp \
	%D%/endpoint.cpp %D%/endpoint.hpp \
	%D%/endpoint_operations.cpp \
	%D%/engine.cpp %D%/engine.hpp \
	%D%/errors.cpp %D%/errors.hpp \
	%D%/event_queue.cpp %D%/event_queue.hpp \
	%D%/export_directories.cpp %D%/export_directories.hpp \
	%D%/fabric.cpp %D%/fabric.hpp \
	%D%/fork_guard.cpp %D%/fork_guard.hpp \
	%D%/getinfo.cpp %D%/getinfo.hpp \
	%D%/housekeeper.cpp %D%/housekeeper.hpp \
	%D%/log.cpp %D%/log.hpp \
	%D%/memory_region.cpp %D%/memory_region.hpp \
	%D%/msg.cpp \
	%D%/nic_info.cpp %D%/nic_info.hpp \
	%D%/operations.hpp \
	%D%/ownership.hpp \
	%D%/place.cpp %D%/place.hpp \
	%D%/poll_set.cpp %D%/poll_set.hpp \
	%D%/provider.cpp \
	%D%/refused_ops.cpp \
	%D%/registry.hpp \
	%D%/reporter.cpp %D%/reporter.hpp \
	%D%/rma.cpp \
	%D%/settings.cpp %D%/settings.hpp \
	%D%/shared_addresses.cpp %D%/shared_addresses.hpp \
	%D%/shared_transmit.cpp %D%/shared_transmit.hpp \
	%D%/tagged.cpp \
	%D%/traffic_class.cpp %D%/traffic_class.hpp \
	%D%/trigger.cpp %D%/trigger.hpp \
	%D%/triggered.cpp %D%/triggered.hpp \
	%D%/wait_object.cpp %D%/wait_object.hpp \
	%D%/wait_set.cpp %D%/wait_set.hpp \
	%D%/wake_fd.hpp
