#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# rill-checkpoint: three versions of a directory of this machine's own files, each restored and
# compared; a sender and a receiver that are killed in the middle; and the size of the store against
# that of borg, if it is there, at the same average length of chunks.
set -u
tool=${top_builddir:-.}/prov/rill/tools/rill-checkpoint
dir=$(mktemp -d) || exit 99
receiver=
sender=
cleanup() {
    [ -n "$sender" ] && kill -9 $sender 2>/dev/null
    [ -n "$receiver" ] && kill -9 $receiver 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
export FI_RILL_IFACE=lo

fail() {
    echo "FAIL: $*"
    cat "$dir/receiver" 2>/dev/null
    exit 1
}

# start: a receiver, and where it listens.
start() {
    "$tool" receive "$dir/store" >"$dir/receiver" 2>&1 &
    receiver=$!
    until grep -q '^listening' "$dir/receiver"; do
        kill -0 $receiver 2>/dev/null || fail "the receiver does not start"
        sleep 0.05
    done
    set -- $(sed -n 's/^listening on //p' "$dir/receiver")
    host=$1
    port=$2
}
send() {
    (cd "$dir" && "$tool" send $host $port "$@")
}
# check SNAPSHOT REFERENCE: it restores to the same bytes, links and modes.
check() {
    rm -rf "$dir/back"
    "$tool" restore "$dir/store" "$1" "$dir/back" || fail "restore $1"
    (cd "$dir/$2" && find . -type f) | while read -r file; do
        cmp "$dir/$2/$file" "$dir/back/data/$file" || exit 1
    done || fail "$1 comes back otherwise"
    (cd "$dir/$2" && find . -printf '%p %y %m %s %T@ %l\n' | sort) >"$dir/want"
    (cd "$dir/back/data" && find . -printf '%p %y %m %s %T@ %l\n' | sort) >"$dir/got"
    # The size of a directory is its file system's business.
    sed -i 's/^\([^ ]* d [0-7]*\) [0-9]*/\1/' "$dir/want" "$dir/got"
    cmp "$dir/want" "$dir/got" || fail "names or attributes of $1"
}
keep() {
    rm -rf "$dir/$1" && cp -a "$dir/data" "$dir/$1"
}
tool=$(cd "$(dirname "$tool")" && pwd)/$(basename "$tool")

# Documentation and libraries, to some 40 MiB.
mkdir "$dir/data" "$dir/data/lib" "$dir/data/doc"
find /usr/lib/*/ -maxdepth 1 -name '*.so*' -type f -size -8M | LC_ALL=C sort | head -n 120 |
    while read -r file; do
        cp -p "$file" "$dir/data/lib/"
        [ "$(du -sm "$dir/data/lib" | cut -f1)" -ge 30 ] && break
    done
find /usr/share/doc /usr/share/perl* -type f -name '*[a-z]' -size -300k 2>/dev/null | LC_ALL=C sort |
    head -n 700 | while read -r file; do
        cp -p "$file" "$dir/data/doc/$(echo "$file" | tr / _)" 2>/dev/null
    done
: >"$dir/data/empty"
ln -s nowhere "$dir/data/link"
mkdir "$dir/data/closed" && chmod 500 "$dir/data/closed"
[ "$(find "$dir/data" -type f | wc -l)" -ge 20 ] || { echo "no files to be had here"; exit 77; }

start
keep v1
send one data || fail "send one"
# Pages rewritten in every third library, text inserted in every fifth document.
n=0
for file in "$dir"/data/lib/*; do
    n=$((n + 1))
    [ $((n % 3)) -eq 0 ] && head -c 4096 /dev/urandom |
        dd of="$file" bs=4096 seek=$((n % 7)) conv=notrunc status=none
done
n=0
for file in "$dir"/data/doc/*; do
    n=$((n + 1))
    [ $((n % 5)) -eq 0 ] && sed -i '3i a line that was not there before' "$file"
done
keep v2
send two data || fail "send two"
# Files gone, renamed, joined and new.
rm -f "$dir"/data/doc/*e
mv "$dir/data/lib" "$dir/data/libraries"
cat "$dir"/data/libraries/* >"$dir/data/all"
truncate -s -123 "$dir/data/all"
keep v3
send three data || fail "send three"
check one v1
check two v2
check three v3
send three data 2>"$dir/refusal" && fail "a second snapshot of one name"
grep -q 'there is such a snapshot' "$dir/refusal" || fail "the refusal does not say why"
send ../four data 2>/dev/null && fail "a snapshot outside of the store"

ours=$(du -sb "$dir/store" | cut -f1)
if command -v borg >/dev/null 2>&1; then
    export BORG_BASE_DIR="$dir/borg-base" BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
    borg init -e none "$dir/borg" 2>/dev/null || fail "borg init"
    for v in 1 2 3; do
        (cd "$dir/v$v" && borg create -C none --chunker-params buzhash,11,16,13,4095 \
            "$dir/borg::$v" .) 2>/dev/null || fail "borg create"
    done
    theirs=$(du -sb "$dir/borg" | cut -f1)
    echo "store: $ours bytes; borg's: $theirs"
    [ $((ours * 10)) -le $((theirs * 11)) ] || fail "the store is more than a tenth larger"
else
    echo "store: $ours bytes; borg is not here"
fi

# caught: something is being written.
caught() {
    for pack in "$dir"/store/packs/*.tmp; do
        [ -s "$pack" ] && return 0
    done
    return 1
}
head -c 100000000 /dev/urandom >"$dir/big" || fail "no room for a large file"
# kill_in_the_middle WHOM: a session that has begun to be stored.
kill_in_the_middle() {
    for try in 1 2 3 4 5; do
        (cd "$dir" && exec "$tool" send $host $port "$1$try" big) >/dev/null 2>"$dir/sender" &
        sender=$!
        until caught; do
            kill -0 $sender 2>/dev/null || break
        done
        case $1 in
        sender) kill -9 $sender ;;
        receiver) kill -9 $receiver ;;
        esac 2>/dev/null
        wait $sender
        status=$?
        sender=
        [ -e "$dir/store/snapshots/$1$try" ] || return 0
        [ "$1" = receiver ] && { wait $receiver 2>/dev/null; start; }
    done
    fail "no session is caught in the middle"
}
kill_in_the_middle sender
until grep -q '^abandoned' "$dir/receiver"; do
    kill -0 $receiver 2>/dev/null || fail "the receiver has ended with its sender"
    sleep 0.05
done
[ "$(du -sb "$dir/store" | cut -f1)" -le $((ours + 200000000)) ] || fail "something was left"
send after data || fail "send after a killed sender"
check after v3

kill_in_the_middle receiver
[ $status -ne 0 ] || fail "a sender whose receiver was killed succeeds"
wait $receiver 2>/dev/null
start
ls "$dir"/store/packs/*.tmp 2>/dev/null && fail "what the kill has left is there"
for v in 1 2 3; do
    check $(echo one two three | cut -d' ' -f$v) v$v
done
send again data || fail "send after a killed receiver"
check again v3
"$tool" list "$dir/store" | grep -q '^again: ' || fail "list"

# A store that was damaged is not restored from.
pack=$(ls "$dir"/store/packs/* | grep -v index | head -n 1)
printf x | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none
"$tool" restore "$dir/store" one "$dir/damaged" 2>"$dir/refusal" && fail "damage is not seen"
grep -q 'damaged' "$dir/refusal" || fail "the damage is not named"
chmod -R u+w "$dir"
echo "checkpoint: snapshots come back, killed sender and receiver leave the store whole"
