# Manual pages are written in Markdown and rendered by pandoc. A release carries both, so that
# pandoc is needed only in a clone; without it a clone builds and installs none.

rill_man_pages = %D%/fi_rill.7 %D%/fi_rill_dedup.3 %D%/fi_rill_device.3 %D%/rill-checkpoint.1 \
	%D%/rill_stat.1 %D%/rillctl.1
EXTRA_DIST += %D%/fi_rill.7.md %D%/fi_rill_dedup.3.md %D%/fi_rill_device.3.md \
	%D%/rill-checkpoint.1.md %D%/rill_stat.1.md %D%/rillctl.1.md

if HAVE_MAN
dist_man_MANS += $(rill_man_pages)
endif

# The list of run-time parameters takes the place of @PARAMETERS@. It follows from the table of
# tunables, which is what the page depends on, and not on the program that prints it: a release's
# page is not rendered again.
EXTRA_PROGRAMS = %D%/parameters
%C%_parameters_SOURCES = %D%/parameters.cpp
%C%_parameters_LDADD = $(rill_core_lib)
CLEANFILES += %D%/parameters$(EXEEXT) %D%/parameters.md

if HAVE_PANDOC
%D%/fi_rill.7: %D%/fi_rill.7.md %D%/parameters.cpp prov/rill/src/obs/tunables.hpp \
		| %D%/parameters$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && ./%D%/parameters$(EXEEXT) > %D%/parameters.md && \
	$(SED) -e '/^@PARAMETERS@$$/{' -e 'r %D%/parameters.md' -e 'd' -e '}' \
	    $(srcdir)/%D%/fi_rill.7.md > $@.md.tmp && \
	$(PANDOC) -s -f markdown -t man -o $@.tmp $@.md.tmp && \
	rm -f $@.md.tmp && mv $@.tmp $@
SUFFIXES = .1.md .1 .3.md .3
render_page = $(AM_V_GEN)$(MKDIR_P) "$$(dirname $@)" && $(PANDOC) -s -f markdown -t man -o $@ $<
.1.md.1:
	$(render_page)
.3.md.3:
	$(render_page)
MAINTAINERCLEANFILES += $(rill_man_pages)
endif
