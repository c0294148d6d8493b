# Room obs: every file here, headers too, is appended to rill_core_sources.
rill_core_sources += \
	%D%/counters.hpp \
	%D%/tunables.cpp %D%/tunables.hpp
