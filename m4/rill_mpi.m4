# Open MPI, for tests and benchmarks in fabtests/mpi; the module does not need it.
AC_DEFUN([RILL_MPI], [
    PKG_CHECK_MODULES([MPI], [ompi-c], [rill_have_mpi=yes], [rill_have_mpi=no])
    AM_CONDITIONAL([HAVE_MPI], [test $rill_have_mpi = yes])
])
