# What the dedup engine hashes with: xxHash, of which only the header is used (its code is compiled
# in), and OpenSSL's libcrypto.
AC_DEFUN([RILL_DEDUP], [
    AC_REQUIRE([PKG_PROG_PKG_CONFIG])
    PKG_CHECK_MODULES([XXHASH], [libxxhash >= 0.8.1], [],
        [AC_MSG_ERROR([no xxHash 0.8.1 or newer (Debian: libxxhash-dev)])])
    PKG_CHECK_MODULES([CRYPTO], [libcrypto >= 1.1.1], [],
        [AC_MSG_ERROR([no libcrypto (Debian: libssl-dev)])])
])
