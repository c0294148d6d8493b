# The protocol's models, checked by spin at small bounds.
dist_check_SCRIPTS += %D%/check.tap
TESTS += %D%/check.tap
EXTRA_DIST += %D%/incarnation.pml %D%/window.pml
