# C++20, warnings, hidden symbols, and a libtool that lets the compiler driver choose its runtime.
AC_DEFUN([RILL_CXX], [
    AC_REQUIRE([LT_INIT])
    AC_LANG_PUSH([C++])
    rill_save_CXXFLAGS=$CXXFLAGS
    CXXFLAGS="$CXXFLAGS -std=c++20"
    AC_CACHE_CHECK([whether $CXX takes C++20], [rill_cv_cxx20],
        [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
            #include <concepts>
            #include <span>
            #include <bit>
            template <std::integral T> T low(std::span<const T> s) { return s.front(); }
            static_assert(std::endian::native == std::endian::little ||
                          std::endian::native == std::endian::big);
            ]], [[int a[2] = {0, 1}; return low<int>(a);]])],
            [rill_cv_cxx20=yes], [rill_cv_cxx20=no])])
    CXXFLAGS=$rill_save_CXXFLAGS
    AC_LANG_POP([C++])
    AS_IF([test "$rill_cv_cxx20" = no],
        [AC_MSG_ERROR([$CXX does not take C++20 (with <concepts>, <span>); g++ 12 or clang++ 14 do])])

    RILL_CXXFLAGS="-std=c++20 -Wall -Wextra -fvisibility=hidden -fvisibility-inlines-hidden -pthread"
    RILL_CFLAGS="-Wall -Wextra -fvisibility=hidden -pthread"
    RILL_LDFLAGS=
    AC_SUBST([RILL_CXXFLAGS])
    AC_SUBST([RILL_CFLAGS])
    AC_SUBST([RILL_LDFLAGS])

    # libtool links C++ shared objects with -nostdlib and writes -lstdc++ and -lgcc_s itself, which
    # makes -static-libstdc++ and -static-libgcc mean nothing. The driver knows better.
    predep_objects_CXX=
    postdep_objects_CXX=
    predeps_CXX=
    postdeps_CXX=
    archive_cmds_CXX=`AS_ECHO(["$archive_cmds_CXX"]) | $SED 's/ -nostdlib//g'`
    archive_expsym_cmds_CXX=`AS_ECHO(["$archive_expsym_cmds_CXX"]) | $SED 's/ -nostdlib//g'`
])
