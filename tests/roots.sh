#!/bin/sh
# Makes a small root directory for each real s6, from Debian's own packages, laid out as the image is:
#
#   target/roots/2.11   bookworm       target/roots/2.13   trixie       target/roots/2.15   sid
#
# One that is there is left as it is, so it can be run again and again; take it away to have it made anew.
# Words name the versions to make; without any, all three. Needs root and mmdebstrap. MIRROR names another mirror of
# Debian than the usual one. Nothing here starts a service.
set -eu
cd "$(dirname "$0")/.."
mirror=${MIRROR:-http://deb.debian.org/debian}
roots=target/roots

say() { echo "roots.sh: $*" >&2; }

suite_of() { # VERSION
    case $1 in
        2.11) echo bookworm ;;
        2.13) echo trixie ;;
        2.15) echo sid ;;
        *) say "no s6 $1: 2.11, 2.13 or 2.15"; return 1 ;;
    esac
}

# The version that a root really has, as dpkg knows it: 2.11 of 2.11.3.2-1.
version_in() { # ROOT
    sed -n '/^Package: s6$/,/^$/s/^Version: \([0-9]*\.[0-9]*\)\..*/\1/p' "$1/var/lib/dpkg/status"
}

# As the Dockerfile does: docker/install.sh inside, and a place for the program.
lay_out() { # ROOT
    install -d "$1/usr/local/lib/hermes"
    install -m 0644 docker/with-contenv docker/healthcheck docker/hand-over docker/install.sh "$1/usr/local/lib/hermes/"
    chroot "$1" sh /usr/local/lib/hermes/install.sh
    rm "$1/usr/local/lib/hermes/install.sh"
    : >"$1/usr/local/bin/hermes"
    chmod 0755 "$1/usr/local/bin/hermes"
}

make() { # VERSION
    suite=$(suite_of "$1")
    root=$roots/$1
    test -e "$root" && return 0
    command -v mmdebstrap >/dev/null || { say "no mmdebstrap here (apt-get install mmdebstrap)"; return 1; }
    say "making $root: $suite from $mirror"
    rm -rf "$root.new"
    # A frozen mirror of sid has a release file that looks out of date.
    mmdebstrap --quiet --mode=root --variant=essential --include=s6,execline,passwd \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        "$suite" "$root.new" "$mirror"
    found=$(version_in "$root.new")
    if [ "$found" != "$1" ]; then
        say "$suite has s6 $found now, not $1"
        return 1
    fi
    lay_out "$root.new"
    mv "$root.new" "$root"
}

mkdir -p "$roots"
# Two that make the same root would be in each other's way.
exec 9>"$roots/.lock"
flock 9
[ $# -gt 0 ] || set -- 2.11 2.13 2.15
for version in "$@"; do
    make "$version"
done
