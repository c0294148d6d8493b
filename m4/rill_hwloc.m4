# hwloc: which network device is near the processors of a process.
AC_DEFUN([RILL_HWLOC], [
    AC_REQUIRE([PKG_PROG_PKG_CONFIG])
    PKG_CHECK_MODULES([HWLOC], [hwloc >= 2.1], [],
        [AC_MSG_ERROR([no hwloc 2.1 or newer (Debian: libhwloc-dev)])])
])
