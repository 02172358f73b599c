#!/bin/sh
# The builder's three steps, each a layer: packages, dependencies, program. With BINARY=prebuilt only the last does
# anything: it takes docker/prebuilt/hermes, which somebody compiled already (statically: the base may be another Debian).
set -eu

target() { rustc -vV | sed -n 's/^host: //p'; }

# Empty sources in place of ours: the dependencies' layer stays when only ours change.
dependencies() {
  mkdir -p src tests benches sim/src sim/benches
  echo 'fn main() {}' | tee src/main.rs tests/main.rs sim/benches/main.rs > benches/main.rs
  # The simulator is a member of the workspace, or the lock file would not fit; it is not built.
  : | tee sim/src/lib.rs > src/lib.rs
  cargo build --release --locked --lib --bins --target "$(target)"
}

# Behind a proxy that answers with certificates of its own, the registry is reached only by who trusts it.
trust_local() {
  for certificate in docker/ca/*.crt; do
    if test -e "$certificate"; then
      cp "$certificate" /usr/local/share/ca-certificates/
    fi
  done
  update-ca-certificates
}

program() {
  touch src/lib.rs src/main.rs
  cargo build --release --locked --lib --bins --target "$(target)"
  install -D "target/$(target)/release/hermes" /out/hermes
  # `src/main.rs` refuses a release with the features of tests; this would show one that got round it.
  for witness in 'built with planted bugs' 'built with a gate'; do
    if grep -qaF "$witness" /out/hermes; then
      echo "build.sh: the program was $witness" >&2
      exit 1
    fi
  done
}

case $BINARY:$1 in
  prebuilt:program) install -D docker/prebuilt/hermes /out/hermes ;;
  prebuilt:*) ;;
  compile:packages)
    apt-get update
    apt-get install -y --no-install-recommends ca-certificates cargo rustc gcc libc6-dev
    rm -rf /var/lib/apt/lists/*
    trust_local
    ;;
  compile:dependencies) dependencies ;;
  compile:program) program ;;
  *)
    echo "build.sh: BINARY=$BINARY is neither compile nor prebuilt" >&2
    exit 1
    ;;
esac
