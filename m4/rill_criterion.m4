# Criterion, for the unit tests. Without it they are left out, and configure says so.
AC_DEFUN([RILL_CRITERION], [
    PKG_CHECK_MODULES([CRITERION], [criterion >= 2.4],
        [rill_have_criterion=yes], [rill_have_criterion=no])
    AM_CONDITIONAL([HAVE_CRITERION], [test $rill_have_criterion = yes])
])
