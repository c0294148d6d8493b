# Tests and benchmarks that talk to rill only through libfabric.
# Programs link $(LIBFABRIC_LIBS); MPI programs, inside `if HAVE_MPI`, use $(MPI_CFLAGS) and $(MPI_LIBS).
# A test's name decides how it is judged: name.tap prints TAP, whose cases are counted; a plain name or
# name.sh by its exit status (0 passed, 77 skipped). `make check` sets FI_PROVIDER_PATH and FI_PROVIDER.

include %D%/functional/local.mk
include %D%/benchmarks/local.mk
include %D%/instructions/local.mk
include %D%/mpi/local.mk
include %D%/lab/local.mk

EXTRA_DIST += \
	%D%/README.md \
	%D%/test_configs/rill/all.test \
	%D%/test_configs/rill/quick.test \
	%D%/test_configs/rill/rill.exclude \
	%D%/test_configs/rill/verify.test
