#!/bin/sh
# Makes the base image debian:SUITE-slim from Debian's own packages where no registry can give it.
#
#   docker/base.sh [SUITE]        trixie (default), bookworm, sid; or the image's whole name, debian:SUITE-slim
#
# An image of that name that is already here, or that can be pulled, is left as it is; so it can be run again and again.
# MIRROR names another mirror of Debian than the usual one.
set -eu

suite=${1:-trixie}
suite=${suite#debian:}
suite=${suite%-slim}
image=debian:$suite-slim
mirror=${MIRROR:-http://deb.debian.org/debian}

say() { echo "base.sh: $*" >&2; }

if docker image inspect "$image" >/dev/null 2>&1; then
  say "$image is here"
  exit 0
fi
if timeout 60 docker pull -q "$image" >/dev/null 2>&1; then
  say "$image was pulled"
  exit 0
fi
if ! command -v mmdebstrap >/dev/null; then
  say "$image cannot be pulled, and mmdebstrap, which would make it, is not installed (apt-get install mmdebstrap)"
  exit 1
fi

say "$image cannot be pulled: making it from $mirror"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
# A frozen mirror of sid has a release file that looks out of date.
mmdebstrap --quiet --variant=minbase --include=ca-certificates \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  "$suite" "$made/base.tar" "$mirror"
docker import \
  --change 'CMD ["sh"]' \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  "$made/base.tar" "$image" >/dev/null
say "$image was made"
