#!/bin/sh
# Every test that this machine can run. What it cannot run is left out by its module's name, listed name by name with
# the reason, and counted. The last line is `N passed, N failed, N skipped`. Words given go to the test programs.
set -u
cd "$(dirname "$0")/.." || exit 1

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# Says nothing if it can be done, else what is missing.
why_not_docker() {
    command -v docker >/dev/null 2>&1 || { echo "no docker here"; return; }
    docker info >/dev/null 2>&1 || echo "no docker engine answers"
}

failed_before=0
no_native=$(tests/support/machine/can.sh)
no_docker=$(why_not_docker)
if [ -n "$no_native" ] && [ "${CI:-}" = true ]; then
    echo "tests/run.sh: CI must run the tests on real s6, and cannot: $no_native" >&2
    failed_before=1
fi

# One package a call: the simulator asks for the feature `planted`, and the program that is tested must not have it.
packages='hermes hermes-sim'

# The names of all tests, or of the ignored ones.
list() { # [ARGS…]
    for package in $packages; do
        cargo test --locked -p "$package" --quiet -- --list "$@" 2>/dev/null | sed -n 's/: test$//p'
    done
}

filters=
leave_out() { # MODULE, REASON
    filters="$filters --skip $1::"
    echo "tests/run.sh: leaves out all of $1:: ($2)"
}
[ -z "$no_native" ] || leave_out native "$no_native"
[ -z "$no_docker" ] || leave_out docker "$no_docker"
no_systemd=${no_docker:-$(tests/systemd/can.sh)}
[ -z "$no_systemd" ] || leave_out systemd "$no_systemd"
# Programs that read what we render, each with the word in the names of the tests that ask it.
lacking=
for reader in shellcheck:shellcheck systemd-analyze:systemd_analyze xmllint:xmllint; do
    if ! command -v "${reader%:*}" >/dev/null 2>&1; then
        lacking="$lacking $reader"
        filters="$filters --skip ${reader#*:}"
        echo "tests/run.sh: leaves out what needs ${reader%:*}"
    fi
done

echo "tests/run.sh: building"
for package in $packages; do
    cargo test --locked -p "$package" --no-run --quiet || exit 1
done

{
    echo 0 >"$scratch/code"
    for package in $packages; do
        # shellcheck disable=SC2086 # the filters are words of ours
        cargo test --locked -p "$package" --no-fail-fast -- $filters "$@" 2>&1 || echo $? >"$scratch/code"
    done
} | tee "$scratch/out"
code=$(cat "$scratch/code")

list >"$scratch/all"
list --ignored >"$scratch/ignored"
: >"$scratch/skipped"
skip() { # REASON, names on stdin
    while read -r name; do
        printf '%s: %s\n' "$name" "$1" >>"$scratch/skipped"
    done
}
[ -z "$no_native" ] || grep '^native::' "$scratch/all" | skip "$no_native"
[ -z "$no_docker" ] || grep '^docker::' "$scratch/all" | skip "$no_docker"
[ -z "$no_systemd" ] || grep '^systemd::' "$scratch/all" | skip "$no_systemd"
for reader in $lacking; do
    grep "${reader#*:}" "$scratch/all" | while read -r name; do
        grep -qF "$name: " "$scratch/skipped" || echo "$name" | skip "no ${reader%:*} here"
    done
done
while read -r name; do
    grep -qF "$name: " "$scratch/skipped" || echo "$name" | skip "marked ignored"
done <"$scratch/ignored"

if [ -s "$scratch/skipped" ]; then
    echo
    echo "Skipped:"
    sed 's/^/  /' "$scratch/skipped"
fi

# The sum over all test programs, documentation included.
sum() { # WORD
    sed -n "s/^test result: .* \([0-9][0-9]*\) $1;.*/\1/p" "$scratch/out" | awk '{ n += $1 } END { print n + 0 }'
}
passed=$(sum passed)
failed=$(sum failed)
failed=$((failed + failed_before))
skipped=$(wc -l <"$scratch/skipped" | tr -d ' ')
if [ "$code" != 0 ] && [ "$failed" = 0 ]; then
    # A test program that ended without a count: killed, or not built.
    failed=1
fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
