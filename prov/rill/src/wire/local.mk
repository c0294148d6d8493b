rill_core_sources += \
	%D%/address.cpp %D%/address.hpp \
	%D%/atomic.hpp \
	%D%/link.hpp \
	%D%/packet.cpp %D%/packet.hpp
