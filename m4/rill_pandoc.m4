# pandoc renders the manual pages. A release carries them rendered, so only a clone needs it.
AC_DEFUN([RILL_PANDOC], [
    AC_ARG_VAR([PANDOC], [pandoc, which renders the manual pages])
    AC_PATH_PROG([PANDOC], [pandoc])
    rill_have_man=yes
    AS_IF([test -z "$PANDOC" && test ! -f "$srcdir/man/fi_rill.7"],
        [rill_have_man="no (pandoc is missing)"
         AC_MSG_NOTICE([pandoc is not here: going on without the manual page])])
    AM_CONDITIONAL([HAVE_PANDOC], [test -n "$PANDOC"])
    AM_CONDITIONAL([HAVE_MAN], [test "$rill_have_man" = yes])
])
