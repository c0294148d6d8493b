rill_core_sources += \
	%D%/fd.hpp \
	%D%/file_memory.hpp \
	%D%/guarded_copy.cpp %D%/guarded_copy.hpp \
	%D%/iov.cpp %D%/iov.hpp \
	%D%/list.hpp \
	%D%/log.hpp \
	%D%/pool.hpp \
	%D%/prng.hpp \
	%D%/ring.hpp \
	%D%/seq.hpp \
	%D%/siphash.cpp %D%/siphash.hpp \
	%D%/status.cpp %D%/status.hpp \
	%D%/time.hpp
