# --enable-ubsan: UndefinedBehaviorSanitizer; the first finding ends the program.
AC_DEFUN([RILL_UBSAN], [
    AC_ARG_ENABLE([ubsan],
        [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])],
        [], [enable_ubsan=no])
    AS_IF([test "x$enable_ubsan" != xno],
        [RILL_SANITIZER([ubsan], [-fsanitize=undefined -fno-sanitize-recover=all])])
])
