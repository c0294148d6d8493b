# Room transport: contexts between pairs of devices.
rill_core_sources += \
	%D%/charges.hpp \
	%D%/choosing.cpp \
	%D%/congestion.cpp %D%/congestion.hpp \
	%D%/context.cpp %D%/context.hpp \
	%D%/context_table.cpp %D%/context_table.hpp \
	%D%/control.cpp \
	%D%/credit.cpp %D%/credit.hpp \
	%D%/deadlines.cpp %D%/deadlines.hpp \
	%D%/ending.cpp \
	%D%/evicted.hpp \
	%D%/eviction.cpp \
	%D%/forget.cpp \
	%D%/hello.cpp %D%/hello.hpp \
	%D%/opening.cpp \
	%D%/outgoing.hpp \
	%D%/path.cpp %D%/path.hpp \
	%D%/path_health.cpp %D%/path_health.hpp \
	%D%/pathfinding.cpp \
	%D%/peer.hpp \
	%D%/receive_window.cpp %D%/receive_window.hpp \
	%D%/receiving.cpp \
	%D%/route_search.cpp \
	%D%/rtt.cpp %D%/rtt.hpp \
	%D%/send_window.cpp %D%/send_window.hpp \
	%D%/sending.cpp \
	%D%/state.cpp %D%/state.hpp \
	%D%/tombstones.cpp %D%/tombstones.hpp \
	%D%/train.cpp %D%/train.hpp \
	%D%/transport.cpp %D%/transport.hpp \
	%D%/ways.cpp %D%/ways.hpp
