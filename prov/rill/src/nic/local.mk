rill_core_sources += \
	%D%/address_handles.hpp \
	%D%/bounce.cpp %D%/bounce.hpp \
	%D%/device.cpp %D%/device.hpp \
	%D%/entries.hpp \
	%D%/inbound.hpp \
	%D%/match_table.cpp %D%/match_table.hpp \
	%D%/outbox.cpp %D%/outbox.hpp \
	%D%/placement.hpp \
	%D%/queue_pair.hpp \
	%D%/receive_engine.cpp \
	%D%/receive_queue.cpp \
	%D%/rx_flow.hpp \
	%D%/send_engine.cpp
