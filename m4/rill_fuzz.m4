# clang with libFuzzer, for the fuzzers (`make fuzz`, a short run in `make check`). It builds them and
# a copy of the library with sanitizers; whatever else is built is the chosen compiler's. Without it,
# the fuzzers are left out, and configure says what is missing.
AC_DEFUN([RILL_FUZZ], [
    AC_ARG_VAR([FUZZ_CXX], [clang++ with libFuzzer, for the fuzzers])
    AC_PATH_PROGS([FUZZ_CXX], [clang++-14 clang++-15 clang++-16 clang++])
    rill_fuzz='no clang++ (Debian: clang-14, libclang-rt-14-dev)'
    AS_IF([test -n "$FUZZ_CXX"], [
        AC_MSG_CHECKING([whether $FUZZ_CXX has libFuzzer and the sanitizers])
        cat >conftest.cpp <<'_END'
#include <concepts>
#include <cstddef>
#include <cstdint>
extern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return 0; }
_END
        AS_IF([$FUZZ_CXX -std=c++20 -fsanitize=fuzzer,address,undefined conftest.cpp \
                   -o conftest$ac_exeext >&AS_MESSAGE_LOG_FD 2>&1],
            [rill_fuzz=$FUZZ_CXX], [rill_fuzz='no libFuzzer (Debian: libclang-rt-14-dev)'])
        rm -f conftest.cpp conftest$ac_exeext
        AC_MSG_RESULT([$rill_fuzz])])
    AM_CONDITIONAL([HAVE_FUZZ], [test "$rill_fuzz" = "$FUZZ_CXX" && test -n "$FUZZ_CXX"])
    AC_SUBST([rill_fuzz])
])
