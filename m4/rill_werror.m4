# --enable-werror: warnings are errors; for those who change rill, not for those who install it.
AC_DEFUN([RILL_WERROR], [
    AC_ARG_ENABLE([werror],
        [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
        [], [enable_werror=no])
    AS_IF([test "x$enable_werror" != xno],
        [RILL_CXXFLAGS="$RILL_CXXFLAGS -Werror"
         RILL_CFLAGS="$RILL_CFLAGS -Werror"])
])
