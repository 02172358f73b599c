#!/bin/sh
# The scenarios in containers of the real image: makes what `hermes-sim containers` needs, and calls it.
#
#   tests/docker/e2e.sh [cells|surprises] [--base BASE]… [WORDS…]     BASE: bookworm, trixie, sid; all three if none is named
#
# Unless scenarios are named, a foreign image comes first, to which hermes is added by the README's three lines.
# The image of each base is built once, on a program that is compiled here and linked statically. WORDS go to the
# simulator. `cells` and `surprises` lay a program of a test build over the image's, one with a gate. Where no engine
# answers, `--ci` is skipped and says so; without it that is an error.
set -eu
cd "$(dirname "$0")/../.."

say() { echo "e2e.sh: $*" >&2; }

verb=containers
case ${1:-} in
    cells | surprises)
        verb=$1
        shift
        ;;
esac
bases=
is_ci=
named=
scenarios=
for word in "$@"; do
    if [ -n "$named" ]; then
        bases="$bases $word"
        named=
        continue
    fi
    case $word in
        --base) named=1 ;;
        --base=*) bases="$bases ${word#--base=}" ;;
        --ci) is_ci=1 ;;
        *.json) scenarios=1 ;;
    esac
done
if [ -z "$bases" ]; then
    bases='bookworm trixie sid'
    set -- --base bookworm --base trixie --base sid "$@"
fi

if ! docker info >/dev/null 2>&1; then
    say "no docker engine answers"
    [ -n "$is_ci" ] || exit 1
    echo "containers: skipped, no docker engine answers"
    exit 0
fi

image() { # BASE
    docker/base.sh "$1"
    docker build --quiet --label hermes.test=1 --tag "hermes-test:$1" --build-arg BINARY=prebuilt \
        --build-arg "BUILDER=debian:$1-slim" --build-arg "BASE=debian:$1-slim" . >/dev/null
}

target=$(rustc -vV | sed -n 's/^host: //p')
build() { # FOLDER OPTIONS…
    folder=$1
    shift
    RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR=target/$folder \
        cargo build --quiet --locked --bin hermes --target "$target" "$@"
}
build static
[ "$verb" = containers ] || build gate --features gate
# Two that build the same image would be in each other's way: tests/docker/image.rs waits for the same lock.
exec 9>target/.image-lock
flock 9
install -D "target/static/$target/debug/hermes" docker/prebuilt/hermes
for base in $bases; do
    image "$base"
done
exec 9>&-
# `./x test` has made the image of `--ci` already.
if [ "$verb" = containers ] && [ -z "$scenarios$is_ci" ]; then
    for base in $bases; do
        say "foreign image on $base"
        HERMES_TEST_SUITE=$base cargo test --quiet --locked -p hermes --test main docker::foreign
    done
fi
exec cargo run --profile sim --quiet --locked -p hermes-sim -- "$verb" "$@"
