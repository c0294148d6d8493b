# --enable-asan: AddressSanitizer, and LeakSanitizer with it.
AC_DEFUN([RILL_ASAN], [
    AC_ARG_ENABLE([asan],
        [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])], [], [enable_asan=no])
    AS_IF([test "x$enable_asan" != xno], [RILL_SANITIZER([asan], [-fsanitize=address])])
])

# RILL_SANITIZER(RUNTIME, FLAGS): what the sanitizers have in common.
# Programs that are not ours load the module after preloading RILL_SANITIZER_PRELOAD.
AC_DEFUN([RILL_SANITIZER], [
    AC_LANG_PUSH([C++])
    rill_save_CXXFLAGS=$CXXFLAGS
    CXXFLAGS="$CXXFLAGS $2"
    AC_MSG_CHECKING([whether $CXX links with $2])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([--enable-$1 was asked for and $CXX cannot link with it])])
    CXXFLAGS=$rill_save_CXXFLAGS
    AC_LANG_POP([C++])
    RILL_SANITIZERS="$RILL_SANITIZERS${RILL_SANITIZERS:+ }$1"
    RILL_CXXFLAGS="$RILL_CXXFLAGS $2 -fno-omit-frame-pointer"
    RILL_CFLAGS="$RILL_CFLAGS $2 -fno-omit-frame-pointer"
    RILL_LDFLAGS="$RILL_LDFLAGS $2"
    rill_runtime=`$CXX -print-file-name=lib$1.so`
    AS_CASE([$rill_runtime], [*/*],
        [RILL_SANITIZER_PRELOAD="$RILL_SANITIZER_PRELOAD${RILL_SANITIZER_PRELOAD:+:}$rill_runtime"])
    rill_asserts=yes
    AC_SUBST([RILL_SANITIZERS])
    AC_SUBST([RILL_SANITIZER_PRELOAD])
])
