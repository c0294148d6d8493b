# Manual pages are written in Markdown and rendered by pandoc. A release carries both, so that
# pandoc is needed only in a clone; without it a clone builds and installs none.

rill_man_pages = %D%/fi_rill.7
EXTRA_DIST += %D%/fi_rill.7.md

if HAVE_MAN
dist_man_MANS += $(rill_man_pages)
endif

if HAVE_PANDOC
SUFFIXES = .7.md .7
.7.md.7:
	$(AM_V_GEN)$(MKDIR_P) "$$(dirname $@)" && $(PANDOC) -s -f markdown -t man -o $@ $<
MAINTAINERCLEANFILES += $(rill_man_pages)
endif
