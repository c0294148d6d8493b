# Device types. The module carries their text, so that it finds them wherever it lies; the first is
# the default.
rill_device_files = %D%/rill-std.json %D%/rill-lite.json
EXTRA_DIST += $(rill_device_files)
nodist_prov_rill_librillcore_la_SOURCES = %D%/shipped_types.cpp
CLEANFILES += %D%/shipped_types.cpp
%D%/shipped_types.cpp: $(rill_device_files)
	$(AM_V_GEN)$(MKDIR_P) "$$(dirname $@)" && { \
	    echo '// Made from prov/rill/devices/*.json.' && \
	    echo '#include "nic/shipped_types.hpp"' && \
	    echo 'namespace rill::nic {' && echo 'static constexpr const char* kFiles[] = {' && \
	    for f in $(rill_device_files); do \
	        printf 'R"json(' && cat "$(srcdir)/$$f" && printf ')json",\n' || exit 1; \
	    done && \
	    echo '};' && \
	    echo 'std::span<const char* const> shipped_device_types() { return kFiles; }' && \
	    echo '} // namespace rill::nic'; } >$@.tmp && mv $@.tmp $@
