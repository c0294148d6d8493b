# Room dedup. What tests share is in test/dedup/data.hpp.
if HAVE_CRITERION
rill_dedup_tests = \
	%D%/chunker.t \
	%D%/digests.t \
	%D%/engine.t \
	%D%/store.t
check_PROGRAMS += $(rill_dedup_tests)
TESTS += $(rill_dedup_tests)

%C%_chunker_t_SOURCES = %D%/chunker.cpp %D%/data.hpp
%C%_chunker_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_chunker_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS) $(CRYPTO_LIBS)

%C%_digests_t_SOURCES = %D%/digests.cpp %D%/data.hpp
%C%_digests_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_digests_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS) $(XXHASH_LIBS) $(CRYPTO_LIBS)

%C%_engine_t_SOURCES = %D%/engine.cpp %D%/data.hpp
%C%_engine_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_engine_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS) $(CRYPTO_LIBS)

%C%_store_t_SOURCES = %D%/store.cpp %D%/data.hpp
%C%_store_t_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
%C%_store_t_LDADD = $(rill_core_lib) $(CRITERION_LIBS) $(CRYPTO_LIBS)
endif

check_PROGRAMS += %D%/digest_file
%C%_digest_file_SOURCES = %D%/digest_file.cpp
%C%_digest_file_LDADD = $(rill_core_lib) $(CRYPTO_LIBS)
dist_check_SCRIPTS += %D%/tools.sh
TESTS += %D%/tools.sh
