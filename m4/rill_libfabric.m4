# --with-libfabric=DIR: the libfabric to build against and to test with.
AC_DEFUN([RILL_LIBFABRIC], [
    AC_REQUIRE([PKG_PROG_PKG_CONFIG])
    AC_ARG_WITH([libfabric],
        [AS_HELP_STRING([--with-libfabric=DIR], [libfabric's prefix (default: as pkg-config says)])],
        [], [with_libfabric=yes])
    AS_IF([test "x$with_libfabric" = xno], [AC_MSG_ERROR([rill is nothing without libfabric])])

    LIBFABRIC_RPATH=
    rill_libfabric_pc=
    rill_libfabric_dir=
    AS_CASE([$with_libfabric],
        [yes], [rill_libfabric_pc=system],
        [/*], [
            AS_IF([test ! -f "$with_libfabric/include/rdma/fabric.h"],
                [AC_MSG_ERROR([--with-libfabric=$with_libfabric: no include/rdma/fabric.h there])])
            for rill_dir in "$with_libfabric"/lib/*-linux-gnu* "$with_libfabric"/lib64 \
                            "$with_libfabric"/lib; do
                AS_IF([test -z "$rill_libfabric_dir" && test -e "$rill_dir/libfabric.so"],
                    [rill_libfabric_dir=$rill_dir])
            done
            AS_IF([test -z "$rill_libfabric_dir"],
                [AC_MSG_ERROR([--with-libfabric=$with_libfabric: no libfabric.so under its lib])])
            LIBFABRIC_RPATH="-Wl,-rpath,$rill_libfabric_dir"
            AS_IF([test -f "$rill_libfabric_dir/pkgconfig/libfabric.pc"],
                [rill_libfabric_pc=given
                 PKG_CONFIG_PATH="$rill_libfabric_dir/pkgconfig${PKG_CONFIG_PATH:+:}$PKG_CONFIG_PATH"
                 export PKG_CONFIG_PATH])],
        [AC_MSG_ERROR([--with-libfabric takes an absolute directory, not '$with_libfabric'])])

    AS_IF([test -n "$rill_libfabric_pc"],
        [PKG_CHECK_MODULES([LIBFABRIC], [libfabric >= 1.17], [],
            [AC_MSG_ERROR([libfabric 1.17 or later is needed: install libfabric-dev, or give --with-libfabric=DIR
$LIBFABRIC_PKG_ERRORS])])
         rill_libfabric_version=`$PKG_CONFIG --modversion libfabric`],
        [LIBFABRIC_CFLAGS="-I$with_libfabric/include"
         LIBFABRIC_LIBS="-L$rill_libfabric_dir -lfabric"
         rill_libfabric_version="in $with_libfabric"])
    AC_SUBST([LIBFABRIC_CFLAGS])
    AC_SUBST([LIBFABRIC_LIBS])
    AC_SUBST([LIBFABRIC_RPATH])

    rill_save_CPPFLAGS=$CPPFLAGS
    rill_save_LIBS=$LIBS
    CPPFLAGS="$CPPFLAGS $LIBFABRIC_CFLAGS"
    LIBS="$LIBFABRIC_LIBS $LIBFABRIC_RPATH $LIBS"
    AC_MSG_CHECKING([whether programs link with libfabric])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <rdma/fabric.h>]], [[return (int)fi_version();]])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([libfabric was found and a program does not link with it, see config.log])])
    CPPFLAGS=$rill_save_CPPFLAGS
    LIBS=$rill_save_LIBS
])
