#!/bin/sh
# What pciutils make of the configuration spaces, of device types and of a running process's device:
# every capability of every function is decoded, and the bytes come back as they were.
set -u
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
rillctl=${top_builddir:-.}/prov/rill/tools/rillctl
observed=${top_builddir:-.}/fabtests/functional/observed
command -v lspci >/dev/null || { echo "skipped: no lspci (pciutils)"; exit 77; }
scratch=$(mktemp -d) || exit 99
trap 'exec 9>&-; wait; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
status=0

complain() {
    echo "$*"
    status=1
}

# of_type TYPE VIRTUAL-FUNCTIONS CAPABILITY...: a device as it is brought up.
of_type() {
    "$rillctl" dump "$1" "$2" >"$scratch/dump" || exit 1
    look "$@"
}

# of_process TYPE CAPABILITY...: a device of that type that a process has open.
of_process() {
    type=$1
    shift
    : >"$scratch/ready"
    FI_RILL_DEVICE=$type "$observed" idle <"$scratch/input" >"$scratch/ready" 9>&- &
    pid=$!
    until grep -q ready "$scratch/ready"; do
        kill -0 $pid 2>/dev/null || { complain "$observed does not start"; return; }
        sleep 0.02
    done
    "$rillctl" dump "$pid-0" >"$scratch/dump" || exit 1
    look "$type" 0 "$@"
    # Addresses are placed, and it is bus master: the driver has been there.
    grep -q 'Control: I/O- Mem+ BusMaster+' "$scratch/text" || complain "$type: not brought up"
    grep -q 'Region 0: Memory at d0000000' "$scratch/text" || complain "$type: BAR0 is nowhere"
}

# look NAME VIRTUAL-FUNCTIONS CAPABILITY...: each in all functions of the dump; those marked 0: in the
# first.
look() {
    name=$1 virtual=$2
    shift 2
    lspci -F "$scratch/dump" -vvv >"$scratch/text" 2>"$scratch/errors"
    # A host without kernel modules makes it say so: that is no matter of ours.
    grep -v libkmod "$scratch/errors" && complain "$name: lspci complains"
    found=$(grep -c '^00:00\.' "$scratch/text")
    [ "$found" = $((virtual + 1)) ] || complain "$name: $found functions, not $((virtual + 1))"
    for capability; do
        wanted=$((virtual + 1))
        case $capability in 0*) wanted=1 capability=${capability#0} ;; esac
        seen=$(grep -c "Capabilities: \[[0-9a-f v]*\] $capability" "$scratch/text")
        [ "$seen" = "$wanted" ] || complain "$name: '$capability' $seen times, not $wanted"
    done
    # One line for every capability of ours, none that lspci has no words for.
    all=$(grep -c 'Capabilities:' "$scratch/text")
    expected=0
    for capability; do
        case $capability in 0*) expected=$((expected + 1)) ;; *) expected=$((expected + virtual + 1)) ;; esac
    done
    [ "$all" = "$expected" ] || complain "$name: $all capabilities, not $expected"
    grep -E 'Unknown|chain looping|access denied|>255|unknown' "$scratch/text" &&
        complain "$name: not decoded"
    lspci -F "$scratch/dump" -xxxx | grep -E '^[0-9a-f]+: ' >"$scratch/bytes"
    grep -E '^[0-9a-f]+: ' "$scratch/dump" | cmp - "$scratch/bytes" ||
        complain "$name: -xxxx gives other bytes"
    echo "$name: $found functions, $all capabilities decoded"
}

of_type rill-std 4 'Power Management' 'Express' 'MSI-X' 'Vendor Specific Information: Len' \
    'Advanced Error Reporting' 'Device Serial Number' \
    '0Single Root I/O Virtualization' 'Alternative Routing-ID' 'Vendor Specific Information: ID'
of_type rill-lite 0 'Power Management' 'Express' 'MSI-X' 'Vendor Specific Information: Len' \
    'Advanced Error Reporting' 'Device Serial Number' 'Vendor Specific Information: ID'

mkfifo "$scratch/input"
exec 9<>"$scratch/input"
export XDG_RUNTIME_DIR="$scratch" FI_RILL_IFACE=lo
of_process rill-std 'Power Management' 'Express' 'MSI-X' 'Vendor Specific Information: Len' \
    'Advanced Error Reporting' 'Device Serial Number' \
    'Single Root I/O Virtualization' 'Alternative Routing-ID' 'Vendor Specific Information: ID'
of_process rill-lite 'Power Management' 'Express' 'MSI-X' 'Vendor Specific Information: Len' \
    'Advanced Error Reporting' 'Device Serial Number' 'Vendor Specific Information: ID'
[ $status -eq 0 ] || cat "$scratch/text"
exit $status
