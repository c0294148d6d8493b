# --enable-tsan: ThreadSanitizer. It and AddressSanitizer both want the same shadow memory.
AC_DEFUN([RILL_TSAN], [
    AC_REQUIRE([RILL_ASAN])
    AC_ARG_ENABLE([tsan],
        [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer (not with --enable-asan)])],
        [], [enable_tsan=no])
    AS_IF([test "x$enable_tsan" != xno && test "x$enable_asan" != xno],
        [AC_MSG_ERROR([--enable-asan and --enable-tsan exclude each other])])
    AS_IF([test "x$enable_tsan" != xno], [RILL_SANITIZER([tsan], [-fsanitize=thread])])
])
