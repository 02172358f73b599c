#!/bin/sh
# The tests on real systemd, and then one line a scenario: which ran, and what came of it. Exits 1 if one failed or is
# missing. Words given go to the test program.
set -u
cd "$(dirname "$0")/../.." || exit 1

wanted='r1 r2 r3 h6 h12 h16 h17 h42 h48'

why_not=$(tests/systemd/can.sh)
if [ -n "$why_not" ]; then
    echo "e2e.sh: none of $wanted can run here: $why_not" >&2
    exit 1
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

{
    cargo test --locked -p hermes --test main -- systemd:: "$@" 2>&1
    echo $? >"$scratch/code"
} | tee "$scratch/out"
code=$(cat "$scratch/code")

echo
sed -n 's/^test systemd::[a-z]*::\(.*\) \.\.\. \(ok\|FAILED\)$/\1 \2/p' "$scratch/out" >"$scratch/ran"
for scenario in $wanted; do
    id=$(echo "$scenario" | tr '[:lower:]' '[:upper:]')
    if ! grep -q "^${scenario}_" "$scratch/ran"; then
        echo "$id: did not run"
        code=1
    fi
    sed -n "s/^\(${scenario}_.*\) \(.*\)/$id: \2, \1/p" "$scratch/ran"
done
echo "$(grep -c ' ok$' "$scratch/ran") passed, $(grep -c ' FAILED$' "$scratch/ran") failed on $(docker run --rm hermes-test-systemd:"${HERMES_TEST_SYSTEMD_SUITE:-bookworm}" systemctl --version | head -n 1)"
exit "$code"
