#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# An MPI job of a user without any privilege, with socket buffers as small as such a user gets on
# an ordinary host.

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<EOF
usage: $script [OPTION]... [PART]...
  --np N          ranks (default: 4)
  --seed N        of data and orders
  --skip PART     leave out (may be repeated)
  --user NAME     whose job it is (default: nobody; oneself, when not root)
$common_usage
The parts are those of rill_mpi_check; by default all but 'huge'.
EOF
}

np=4
user=nobody
timeout_seconds=600
options=()
parts=()
export FI_RILL_RCVBUF=212992 # what Linux allows unless an administrator raised it
while (($#)); do
    common_option "$@"
    if ((taken)); then
        shift "$taken"
        continue
    fi
    case $1 in
    --np) want_number "$@" && np=$2 && shift ;;
    --seed | --skip) want_value "$@" && options+=("$1" "$2") && shift ;;
    --user) want_value "$@" && user=$2 && shift ;;
    -h | --help) usage && exit ;;
    -*) not_understood "$1" ;;
    *) parts+=("$1") ;;
    esac
    shift
done
((${#parts[@]})) || options+=(--skip huge)

check=$(program rill_mpi_check)
use_provider
use_mpi
make_work

# The user may not be able to read the build tree; so it gets its own copies.
cp "$check" "$work/rill_mpi_check"
if [[ $provider == rill ]]; then
    cp "$FI_PROVIDER_PATH/librill-fi.so" "$work/"
    export FI_PROVIDER_PATH=$work
fi
mkdir "$work/home"
drop=()
if ((EUID == 0)); then
    uid=$(id -u "$user") || die "there is no user $user"
    gid=$(id -g "$user")
    ((uid)) || die "user $user has every privilege"
    need_command setpriv util-linux
    chown -R "$uid:$gid" "$work"
    drop=(setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs
        --inh-caps=-all --bounding-set=-all)
    unset OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
else
    user=$(id -un)
fi
capabilities=$("${drop[@]}" sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
[[ $capabilities =~ ^0+$ ]] || die "user $user has capabilities: $capabilities"

log=$work/log
: >"$log"
status=0
begun=$SECONDS
cd "$work"
start "$timeout_seconds" "$log" env HOME="$work/home" USER="$user" LOGNAME="$user" \
    "${drop[@]}" "${mpirun[@]}" -np "$np" \
    "$work/rill_mpi_check" --deadline "$timeout_seconds" "${options[@]}" "${parts[@]}"
finish "$timeout_seconds" || status=$?
show "$log"
expect_provider "$np" "$log" || status=1
((status == 0)) || die "the job of user $user failed with code $status"
echo "ok unprivileged: $np ranks of user $user over $provider, receive buffers of" \
    "$FI_RILL_RCVBUF bytes, $((SECONDS - begun)) s"
