#!/bin/sh
# Makes a machine for tests: Debian with systemd as PID 1, and a user hermes (10000) whose own systemd starts at boot.
#
#   docker/systemd.sh [SUITE]     bookworm (default), trixie, sid; the image is hermes-test-systemd:SUITE
#
# An image of that name that is already here is left as it is. MIRROR names another mirror of Debian than the usual one.
# It holds no hermes: the tests bring the one they test.
set -eu

suite=${1:-bookworm}
image=hermes-test-systemd:$suite
mirror=${MIRROR:-http://deb.debian.org/debian}

say() { echo "systemd.sh: $*" >&2; }

if docker image inspect "$image" >/dev/null 2>&1; then
  say "$image is here"
  exit 0
fi
if ! command -v mmdebstrap >/dev/null; then
  say "mmdebstrap, which makes $image, is not installed (apt-get install mmdebstrap)"
  exit 1
fi

say "making $image from $mirror"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
# A frozen mirror of sid has a release file that looks out of date.
# shellcheck disable=SC2016 # $1 is the hook's own
mmdebstrap --quiet --variant=minbase \
  --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  --customize-hook='chroot "$1" useradd --uid 10000 --user-group --create-home --shell /bin/sh hermes' \
  --customize-hook='mkdir -p "$1/var/lib/systemd/linger" && touch "$1/var/lib/systemd/linger/hermes"' \
  "$suite" "$made/base.tar" "$mirror"
docker import \
  --change 'CMD ["/sbin/init"]' \
  --change 'ENV container=docker' \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'LABEL hermes.test=1' \
  "$made/base.tar" "$image" >/dev/null
say "$image was made"
