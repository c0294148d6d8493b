# --enable-debug: built for a debugger, asserts and the checks of libstdc++ on.
# Sets the default of CFLAGS and CXXFLAGS, so it comes before AC_PROG_CC.
AC_DEFUN([RILL_DEBUG], [
    AC_BEFORE([$0], [AC_PROG_CC])
    AC_ARG_ENABLE([debug],
        [AS_HELP_STRING([--enable-debug], [-O0 -g3, asserts, checked standard library])],
        [], [enable_debug=no])
    RILL_CPPFLAGS=
    AS_IF([test "x$enable_debug" = xno],
        [rill_optimise="-O2 -g"
         rill_asserts=no],
        [rill_optimise="-O0 -g3"
         rill_asserts=yes
         RILL_CPPFLAGS="-D_GLIBCXX_ASSERTIONS"])
    : ${CFLAGS="$rill_optimise"}
    : ${CXXFLAGS="$rill_optimise"}
    AC_SUBST([RILL_CPPFLAGS])
])
