# --with-plugindir=DIR: where the module is installed.
# By default under the chosen prefix, at the place where this libfabric looks under its own: on
# Debian that is lib/<multiarch>/libfabric, which --prefix=/usr alone would miss.
AC_DEFUN([RILL_PLUGINDIR], [
    AC_REQUIRE([RILL_LIBFABRIC])
    AC_ARG_WITH([plugindir],
        [AS_HELP_STRING([--with-plugindir=DIR],
            [directory for the module (default: where libfabric scans, under the prefix)])],
        [], [with_plugindir=yes])
    AS_CASE([$with_plugindir],
        [yes|no], [
            plugindir='${libdir}/libfabric'
            AS_IF([test -n "$rill_libfabric_pc" && test "x$libdir" = 'x${exec_prefix}/lib'], [
                rill_lf_prefix=`$PKG_CONFIG --variable=prefix libfabric`
                rill_lf_libdir=`$PKG_CONFIG --variable=libdir libfabric`
                rill_lf_below=`AS_ECHO(["$rill_lf_libdir"]) | $SED "s|^$rill_lf_prefix/|/|"`
                AS_IF([test "x$rill_lf_below" != "x$rill_lf_libdir"],
                    [plugindir="\${exec_prefix}$rill_lf_below/libfabric"])])],
        [plugindir=$with_plugindir])
    AC_SUBST([plugindir])
])
