#!/bin/sh
# Runs a Criterion program for the test harness: its report, as TAP, is all that goes to standard
# output; whatever else it prints goes to the log.
case " ${RILL_SANITIZERS:-} " in
*' tsan '*)
    # Criterion forks its workers from a threaded parent; ThreadSanitizer ends such a process.
    echo '1..0 # SKIP Criterion does not run under ThreadSanitizer'
    exit 0 ;;
esac
exec 3>&1 1>&2
exec timeout --foreground -k 10 "${RILL_TEST_TIMEOUT:-900}" "$@" --color=never --tap=/dev/fd/3
