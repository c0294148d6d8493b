rill_core_sources += \
	%D%/chunker.cpp %D%/chunker.hpp \
	%D%/cpu.cpp %D%/cpu.hpp \
	%D%/cut.hpp \
	%D%/digest.hpp \
	%D%/engine.cpp %D%/engine.hpp \
	%D%/extremum.cpp %D%/extremum.hpp \
	%D%/extremum_avx2.cpp \
	%D%/gear.cpp %D%/gear.hpp \
	%D%/gear_avx2.cpp \
	%D%/huge_array.hpp \
	%D%/record.hpp %D%/record_ring.hpp \
	%D%/regions.cpp %D%/regions.hpp \
	%D%/sha256.cpp %D%/sha256.hpp \
	%D%/sha256_avx512.cpp \
	%D%/sha256_ni.cpp \
	%D%/store.cpp %D%/store.hpp \
	%D%/stream.hpp \
	%D%/xxh3.cpp %D%/xxh3.hpp \
	%D%/xxh3_avx2.cpp \
	%D%/xxh3_build.hpp
