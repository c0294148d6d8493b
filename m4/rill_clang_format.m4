# clang-format 14, for `make format-check`. Another version lays out the same style differently.
AC_DEFUN([RILL_CLANG_FORMAT], [
    AC_ARG_VAR([CLANG_FORMAT], [clang-format, version 14])
    AC_PATH_PROGS([CLANG_FORMAT], [clang-format-14], [clang-format-14])
])
