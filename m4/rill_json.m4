# nlohmann's JSON, headers only: device types are read with it.
AC_DEFUN([RILL_JSON], [
    AC_LANG_PUSH([C++])
    AC_CHECK_HEADER([nlohmann/json.hpp], [],
        [AC_MSG_ERROR([no nlohmann/json.hpp (Debian: nlohmann-json3-dev)])])
    AC_LANG_POP([C++])
])
