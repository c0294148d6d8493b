# Room link: what carries bytes.
rill_core_sources += \
	%D%/clock.hpp \
	%D%/fast_clock.cpp %D%/fast_clock.hpp \
	%D%/hardware.cpp %D%/hardware.hpp \
	%D%/impair.cpp %D%/impair.hpp \
	%D%/impaired_link.cpp %D%/impaired_link.hpp \
	%D%/interfaces.cpp %D%/interfaces.hpp \
	%D%/locality.cpp %D%/locality.hpp \
	%D%/log.hpp \
	%D%/nic_links.cpp %D%/nic_links.hpp \
	%D%/receive_buffers.hpp \
	%D%/route.cpp %D%/route.hpp \
	%D%/shm/channel.cpp %D%/shm/channel.hpp \
	%D%/shm/rendezvous.cpp %D%/shm/rendezvous.hpp \
	%D%/shm/ring.cpp %D%/shm/ring.hpp \
	%D%/shm/shm_link.cpp %D%/shm/shm_link.hpp \
	%D%/sockaddr.cpp %D%/sockaddr.hpp \
	%D%/busy_peers.cpp %D%/busy_peers.hpp \
	%D%/udp_link.cpp %D%/udp_link.hpp \
	%D%/udp_socket.cpp %D%/udp_socket.hpp
