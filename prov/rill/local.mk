# The module librill-fi.so, and the library of everything in it that knows nothing of libfabric,
# which the simulator and the unit tests link too.

rill_core_sources =
rill_fi_sources =
rill_core_lib = %D%/librillcore.la

include %D%/src/util/local.mk
include %D%/src/wire/local.mk
include %D%/src/obs/local.mk
include %D%/src/dedup/local.mk
include %D%/src/transport/local.mk
include %D%/src/nic/local.mk
include %D%/src/link/local.mk
include %D%/src/rdm/local.mk
include %D%/src/fi/local.mk
include %D%/devices/local.mk
include %D%/sim/local.mk
include %D%/tools/local.mk
include %D%/test/local.mk

# Asserts in the library only with --enable-debug or a sanitizer; test programs keep theirs always.
if ASSERTS
rill_assert_flags =
else
rill_assert_flags = -DNDEBUG
endif

noinst_LTLIBRARIES += %D%/librillcore.la
%C%_librillcore_la_SOURCES = $(rill_core_sources)
%C%_librillcore_la_CPPFLAGS = $(AM_CPPFLAGS) $(HWLOC_CFLAGS) $(rill_assert_flags)
%C%_librillcore_la_LIBADD = $(CRYPTO_LIBS) $(HWLOC_LIBS)

plugin_LTLIBRARIES += %D%/librill-fi.la
%C%_librill_fi_la_SOURCES = $(rill_fi_sources)
# Never compiled: makes automake link as C++ even if the sources were all C.
nodist_EXTRA_%C%_librill_fi_la_SOURCES = %D%/none.cpp
%C%_librill_fi_la_CPPFLAGS = $(AM_CPPFLAGS) $(rill_assert_flags)
%C%_librill_fi_la_LDFLAGS = -module -avoid-version -shared $(RILL_LDFLAGS) \
	$(RILL_MODULE_LDFLAGS) -Wl,--version-script=$(top_srcdir)/%D%/rill.map
%C%_librill_fi_la_LIBADD = $(rill_core_lib) $(LIBFABRIC_LIBS)
EXTRA_%C%_librill_fi_la_DEPENDENCIES = %D%/rill.map
EXTRA_DIST += %D%/rill.map

rill_checks = %D%/test/check-layers.sh %D%/test/check-module.sh %D%/test/lspci.sh
dist_check_SCRIPTS += $(rill_checks)
TESTS += $(rill_checks)

# `make sim SEEDS=N SEED_FROM=K`: N seeds from K on, over the simulated network.
SEEDS = 1000
SEED_FROM = 1
sim: %D%/sim/rill_sim$(EXEEXT)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) %D%/sim/rill_sim$(EXEEXT) --seeds $(SEEDS) --from $(SEED_FROM) --jobs $$(nproc)
.PHONY: sim
