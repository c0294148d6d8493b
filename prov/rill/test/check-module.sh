#!/bin/sh
# The module as the dynamic linker sees it: one exported symbol, and no C++ runtime asked of the
# program that loads it.
#
#   check-module.sh [MODULE]    default: $RILL_MODULE, as make check sets it
set -u
module=${1:-${RILL_MODULE:-}}
status=0

if [ ! -f "$module" ]; then
    echo "no module at '$module'"
    exit 1
fi
exports=$(nm -D --defined-only "$module" | awk '{ print $NF }') || exit 99
if [ "$exports" != fi_prov_ini ]; then
    echo "exports should be fi_prov_ini alone, and are: $(echo $exports)"
    status=1
fi

needed=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') || exit 99
if [ "${RILL_STATIC_RUNTIME:-yes}" = yes ]; then
    case $needed in
    *libstdc++*|*libgcc_s*|*libc++*)
        echo "the C++ runtime should be inside, and is needed: $(echo $needed)"
        status=1 ;;
    esac
fi
case $needed in
*libfabric.so*) ;;
*)
    echo "libfabric is not among what is needed: $(echo $needed)"
    status=1 ;;
esac
if readelf -d "$module" | grep -q '(TEXTREL)'; then
    echo "text relocations"
    status=1
fi
[ $status -eq 0 ] && echo "module: exports $exports; needs $(echo $needed)"
exit $status
