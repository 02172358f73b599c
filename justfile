# `./x RECIPE` calls these after installing what they need.

# List the recipes
default:
    @just --list

# The main job on real s6, without a container: created, started, stopped, killed, restarted, and each as it was left
demo:
    cargo build --quiet --locked
    cargo run --quiet --locked --example demo

# Every test this machine can run; what it cannot is counted, by name
test:
    tests/run.sh

# Formatting, lints, documentation
check:
    cargo fmt --all --check
    # One package a call: the simulator's features (src/probe.rs) must not reach the program.
    cargo clippy --locked -p hermes --all-targets -- -D warnings
    cargo clippy --locked -p hermes-sim --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked -p hermes --no-deps --quiet
    RUSTDOCFLAGS="-D warnings" cargo doc --locked -p hermes-sim --no-deps --quiet
    shellcheck x .ci/run docker/*.sh docker/healthcheck docker/with-contenv tests/*.sh tests/support/machine/*.sh sim/src/native/*.sh tests/systemd/*.sh tests/launchd/*.sh

# Build the container image; BASE is debian:trixie-slim unless given
image base="debian:trixie-slim":
    docker/base.sh {{ base }}
    docker build --build-arg BASE={{ base }} --build-arg BUILDER={{ base }} -t hermes .

# The same promises on real systemd, in a container whose PID 1 it is; prints which scenarios ran
e2e-systemd *words:
    tests/systemd/e2e.sh {{ words }}

# Remove every container and image that the tests left
docker-clean:
    docker ps -aq --filter label=hermes.test | xargs -r docker rm -f
    docker images -q --filter label=hermes.test | xargs -r docker rmi -f

# Speed and memory as ratios, each pair measured side by side in one run
bench:
    cargo bench --locked

# Every scenario on the simulated machine, each search made twice: calm, crash matrix, few surprises, every interleaving
sim *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- run --twice {{ words }}

# The same for a night: far more runs, two surprises in one
sim-long *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- run --size long {{ words }}

# Is every planted bug found, by which search, after how many runs
planted *words:
    cargo run --profile sim --quiet --locked -p hermes-sim -- planted {{ words }}

# Which real s6: one or more of these
s6 := env("HERMES_S6", "2.11 2.13 2.15")

# Every scenario on real s6, without an engine, each in namespaces of its own; HERMES_S6="2.13" for one version
native *words: _real
    cargo run --profile sim --quiet --locked -p hermes-sim -- native {{ prepend("--s6=", s6) }} {{ words }}

# The fake s6 against the real ones in lockstep: told sequences, and some made from seeds
conformance *words: _real
    cargo run --profile sim --quiet --locked -p hermes-sim -- conformance {{ prepend("--s6=", s6) }} {{ words }}

# A root directory for each version, and the program, linked so that it runs on each
_real:
    tests/roots.sh {{ s6 }}
    RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=target/static \
        cargo build --quiet --locked --bin hermes --target {{ arch() }}-unknown-linux-gnu

# How fast the simulated machine is: effects, runs and states a second
bench-sim:
    cargo bench --locked -p hermes-sim

# What .ci/run does
ci: check test demo
