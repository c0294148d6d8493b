# The module is loaded into programs with a C++ runtime of their own, older or newer, or with none:
# it carries its own. A sanitizer wants the shared one, to intercept it.
AC_DEFUN([RILL_STATIC_RUNTIME], [
    AC_REQUIRE([RILL_CXX])
    RILL_MODULE_LDFLAGS=
    rill_static_runtime=no
    AS_IF([test -z "$RILL_SANITIZERS"], [
        AC_LANG_PUSH([C++])
        rill_save_LDFLAGS=$LDFLAGS
        LDFLAGS="$LDFLAGS -shared -fPIC -static-libstdc++ -static-libgcc"
        AC_MSG_CHECKING([whether a shared object can carry its C++ runtime])
        AC_LINK_IFELSE([AC_LANG_SOURCE([[#include <string>
            std::string f() { return std::string(40, 'x'); }]])],
            [rill_static_runtime=yes])
        AC_MSG_RESULT([$rill_static_runtime])
        LDFLAGS=$rill_save_LDFLAGS
        AC_LANG_POP([C++])
        AS_IF([test $rill_static_runtime = yes],
            [RILL_MODULE_LDFLAGS="-static-libstdc++ -static-libgcc"])
        # libfabric keeps quiet about a module that does not load; let the linker speak.
        RILL_MODULE_LDFLAGS="$RILL_MODULE_LDFLAGS -Wl,-z,defs"])
    AC_SUBST([RILL_MODULE_LDFLAGS])
    AC_SUBST([rill_static_runtime])
    AM_CONDITIONAL([ASSERTS], [test "$rill_asserts" = yes])
])
