rill_core_sources += \
	%D%/address_vector.cpp %D%/address_vector.hpp \
	%D%/dedup.cpp %D%/dedup.hpp \
	%D%/driver.cpp %D%/driver.hpp \
	%D%/endpoint.cpp %D%/endpoint.hpp \
	%D%/module.cpp %D%/module.hpp \
	%D%/peek.cpp \
	%D%/receive_side.cpp %D%/receive_side.hpp \
	%D%/remote_events.cpp \
	%D%/remote_operations.cpp \
	%D%/request.hpp \
	%D%/reset.cpp \
	%D%/send_side.cpp %D%/send_side.hpp \
	%D%/shared_receive.cpp
