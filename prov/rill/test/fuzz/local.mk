# Fuzzers (libFuzzer), each with its corpus in the tree:
#
#   make fuzz TIME=60 [FUZZERS="device packet"]    so many seconds each; what it finds stays in
#                                                  %D%/found/NAME and begins the next run
#
# `make check` runs each over its corpus and a fixed number of further inputs. They, and a copy of the
# library, are built by clang with AddressSanitizer and UndefinedBehaviorSanitizer.
rill_fuzzers = address context device device_type impairment packet tunables

rill_fuzz_sources = $(rill_fuzzers:%=%D%/%.cpp) %D%/input.hpp
EXTRA_DIST += $(rill_fuzz_sources) %D%/corpus
dist_check_SCRIPTS += %D%/check.tap %D%/run.sh
TESTS += %D%/check.tap

if HAVE_FUZZ
rill_fuzz_programs = $(rill_fuzzers:%=%D%/bin/%)
# Built for `make check`, and neither installed nor part of `make all`.
check_DATA = $(rill_fuzz_programs)

# What the fuzzers stand on: the library, and the one file of fi that reads addresses.
rill_fuzz_core = $(patsubst %.cpp,%D%/obj/%.o,$(filter %.cpp,$(rill_core_sources) \
	prov/rill/devices/shipped_types.cpp prov/rill/src/fi/address.cpp))
rill_fuzz_flags = -std=c++20 -O1 -g -pthread -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined

%D%/obj/%.o: %.cpp
	@$(MKDIR_P) $(@D)
	$(AM_V_CXX)$(FUZZ_CXX) $(rill_fuzz_flags) -fsanitize=fuzzer-no-link $(AM_CPPFLAGS) -MMD -MP \
		-c -o $@ $<
# In one step, so that an object that is gone from the list is gone from the archive.
%D%/obj/core.a: $(rill_fuzz_core)
	$(AM_V_AR)rm -f $@ && $(AR) rcs $@ $(rill_fuzz_core)
$(rill_fuzz_programs): %D%/bin/%: %D%/obj/%D%/%.o %D%/obj/core.a
	@$(MKDIR_P) $(@D)
	$(AM_V_CXXLD)$(FUZZ_CXX) -pthread -fsanitize=fuzzer,address,undefined -o $@ $< %D%/obj/core.a \
		$(CRYPTO_LIBS)

-include $(wildcard %D%/obj/prov/rill/src/*/*.d %D%/obj/prov/rill/src/*/*/*.d %D%/obj/%D%/*.d)

.SECONDARY: $(rill_fuzzers:%=%D%/obj/%D%/%.o)
clean-local: fuzz-clean
fuzz-clean:
	rm -rf %D%/obj %D%/bin
endif

TIME = 60
FUZZERS = $(rill_fuzzers)
fuzz: $(rill_fuzz_programs)
	@test -n '$(rill_fuzz_programs)' || { echo 'make fuzz: $(rill_fuzz)' >&2; exit 1; }
	@$(srcdir)/%D%/run.sh %D%/bin $(srcdir)/%D%/corpus %D%/found $(TIME) $(FUZZERS)
.PHONY: fuzz fuzz-clean
