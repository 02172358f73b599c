# `./x RECIPE` calls these after installing what they need; `demo`, `test` and `image` it does itself, without `just`.

# List the recipes
default:
    @just --list

# The main job on real s6, without a container: created, started, stopped, killed, restarted, and each as it was left
demo:
    ./x demo

# Every test this machine can run; what it cannot is counted, by name
test *words:
    ./x test {{ words }}

# Formatting, lints, documentation
check:
    cargo fmt --all --check
    # One package a call: the simulator's features (src/probe.rs) must not reach the program.
    cargo clippy --locked -p hermes --all-targets -- -D warnings
    cargo clippy --locked -p hermes-sim --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked -p hermes --no-deps --quiet
    RUSTDOCFLAGS="-D warnings" cargo doc --locked -p hermes-sim --no-deps --quiet
    shellcheck x .ci/run docker/*.sh docker/healthcheck docker/hand-over docker/with-contenv tests/docker/foreign/init tests/docker/foreign/with-contenv tests/*.sh tests/support/machine/*.sh sim/src/real/*.sh tests/docker/*.sh tests/systemd/*.sh tests/launchd/*.sh tests/windows/*.sh

# Build the container image; BASE is debian:trixie-slim unless given
image base="debian:trixie-slim":
    ./x image {{ base }}

# The same promises on real systemd, in a container whose PID 1 it is; prints which scenarios ran
e2e-systemd *words:
    tests/systemd/e2e.sh {{ words }}

# The library's pure tests as Windows' own, built with Debian's toolchain and run under wine; names what is left out
windows *words:
    tests/windows/wine.sh {{ words }}

# Every scenario in containers of the real image, on Debian bookworm, trixie and sid; `--base trixie` for one, `--ci` for a few;
# first word `cells` or `surprises`: the same recipes, in containers
docker-e2e *words:
    tests/docker/e2e.sh {{ words }}

# Join the outcomes of `sim`, `native` and `docker-e2e` into docs/scenarios.md
table:
    cargo run --profile sim --quiet --locked -p hermes-sim -- table

# `docker restart` until every gateway is ready, and `docker stop`: medians, beside a bare s6 in the same run
bench-docker *profiles:
    tests/docker/bench.sh {{ profiles }}

# Remove every container, volume and image that the tests left
docker-clean:
    docker ps -aq --filter label=hermes.test | xargs -r docker rm -fv
    docker volume ls -q --filter label=hermes.test | xargs -r docker volume rm -f
    docker images -q --filter label=hermes.test | xargs -r docker rmi -f

# Speed and memory as ratios, each pair measured side by side in one run
bench:
    cargo bench --locked

# Every scenario on the simulated machine, each search twice: baseline, crash matrix, bounded faults, every interleaving
sim *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- run --twice {{ words }}

# The same for a night: far more runs, two faults in one run
sim-long *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- run --size long {{ words }}

# The exhaustive searches to their end, every interleaving: states and transitions. About an hour
sim-closed *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- run --size long --search exhaustive {{ words }} fixtures/scenarios/exhaustive-*.json

# Is every planted bug found, by which search, after how many runs
planted *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- planted {{ words }}

# Which real s6: one or more of these
s6 := env("HERMES_S6", "2.11 2.13 2.15")

# Every scenario on real s6, without an engine, each in namespaces of its own; HERMES_S6="2.13" for one version
native *words: _real
    cargo run --profile sim --quiet --locked -p hermes-sim -- native {{ prepend("--s6=", s6) }} {{ words }}

# The crash matrix of commands on real s6, each crash point in a tree of its own: `--every 40` for a part, `--all` for a night
cells *words: _gated
    cargo run --profile sim --quiet --locked -p hermes-sim -- cells {{ prepend("--s6=", s6) }} {{ words }}

# The faults that simulation found, on real s6: kills, failing system calls and interleavings, each at its address
surprises *words: _gated
    cargo run --profile sim --quiet --locked -p hermes-sim -- surprises {{ prepend("--s6=", s6) }} {{ words }}

# The fake s6 against the real ones in lockstep: sequences from files, and random ones
conformance *words: _real
    cargo run --profile sim --quiet --locked -p hermes-sim -- conformance {{ prepend("--s6=", s6) }} {{ words }}

# A root directory for each version, and the program, linked so that it runs on each
_real:
    tests/roots.sh {{ s6 }}
    RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=target/static \
        cargo build --quiet --locked --bin hermes --target {{ arch() }}-unknown-linux-gnu

# The same, and the program of a test build that asks before each effect
_gated:
    tests/roots.sh {{ s6 }}
    RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=target/gate \
        cargo build --quiet --locked --bin hermes --features gate --target {{ arch() }}-unknown-linux-gnu

# How fast the simulated machine is: effects, runs and states a second
bench-sim:
    cargo bench --locked -p hermes-sim

# What .ci/run does
ci:
    .ci/run
