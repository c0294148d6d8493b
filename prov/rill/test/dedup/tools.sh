#!/bin/sh
# D4: what the engine says of the chunks of a file is what sha256sum, xxh128sum and openssl say of the same bytes, and
# any fragmentation gives the same records, down to one byte at a time.
set -u
digest_file=${top_builddir:-.}/prov/rill/test/dedup/digest_file
for tool in sha256sum xxh128sum openssl; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
status=0
compared=0

complain() {
    echo "$*"
    status=1
}

# by_tool KIND [KEY]: a standard tool's digest of its input.
by_tool() {
    case $1${2:+keyed} in
    sha256) sha256sum ;;
    xxh3) xxh128sum ;;
    sha256keyed) openssl dgst -sha256 -hmac "$2" -r ;;
    esac | cut -d' ' -f1
}

# compare FILE KIND CHUNKER AVG [KEY]
compare() {
    file=$1 kind=$2 chunker=$3 avg=$4 key=${5-}
    "$digest_file" "$file" "$kind" "$chunker" "$avg" 100000000 ${key:+"$key"} >"$scratch/whole" ||
        complain "$*: digest_file failed"
    for fragment in 1 63 64 65 1452 65536; do
        "$digest_file" "$file" "$kind" "$chunker" "$avg" $fragment ${key:+"$key"} >"$scratch/parts"
        cmp -s "$scratch/whole" "$scratch/parts" || complain "$*: other records in fragments of $fragment"
    done
    covered=0
    while read -r offset length digest; do
        [ "$offset" = "$covered" ] || complain "$*: a gap at $covered"
        covered=$((offset + length))
        said=$(tail -c +$((offset + 1)) "$file" | head -c "$length" | by_tool "$kind" "$key")
        [ "$said" = "$digest" ] || complain "$*: $length bytes at $offset are $said, not $digest"
        compared=$((compared + 1))
    done <"$scratch/whole"
    [ "$covered" = "$(wc -c <"$file")" ] || complain "$*: $covered bytes have records"
}

# Text and a program, whatever this tree and this build have.
cat "${top_srcdir:-.}"/prov/rill/docs/*.md | head -c 150001 >"$scratch/text"
head -c 300000 "$digest_file" >"$scratch/program"
: >"$scratch/empty"
printf abc >"$scratch/short"
for name in empty short text program; do
    for kind in sha256 xxh3; do
        compare "$scratch/$name" $kind fixed 4096
        compare "$scratch/$name" $kind gear 4096
        compare "$scratch/$name" $kind extremum 4096
    done
    compare "$scratch/$name" sha256 fixed 4096 "a key"
done
[ $status = 0 ] && echo "$compared chunks: their digests are the standard tools'"
exit $status
