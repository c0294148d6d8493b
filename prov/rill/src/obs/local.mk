# Room obs: every file here, headers too, is appended to rill_core_sources.
rill_core_sources += \
	%D%/counters.hpp \
	%D%/export_layout.hpp \
	%D%/export_reader.cpp %D%/export_reader.hpp \
	%D%/exporter.cpp %D%/exporter.hpp \
	%D%/process.cpp %D%/process.hpp \
	%D%/snapshot.hpp \
	%D%/tunables.cpp %D%/tunables.hpp
