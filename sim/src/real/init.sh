#!/bin/sh
# The first process of a life until it becomes the container's: its mounts, its network, then it waits to be started.
# Runs in namespaces of its own. Usage: sh -c … init LOWER SCRATCH VOLUME PROGRAM
set -eu
lower=$1
scratch=$2
root=$scratch/merged
# Two lives of a container follow each other, and the kernel may still hold the first one's mount.
mount -t overlay -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work,index=off" overlay "$root"
mount --bind "$3" "$root/opt/data"
mount --bind "$4" "$root/usr/local/bin/hermes"
mount -t proc proc "$root/proc"
: >"$root/.dockerenv"
# The sockets at which test builds ask before each effect, where somebody listens.
if [ -d "$scratch/../gate" ]; then
    mkdir -p "$root/gate"
    mount --bind "$scratch/../gate" "$root/gate"
fi
# Brings `lo` up: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING.
perl -e 'my $up = pack("a16 s x14", "lo", 0x41); socket(my $s, 2, 2, 0) or die $!; ioctl($s, 0x8914, $up) or die $!'
: >"$scratch/mounted"
# Whoever goes away without a word wants no life.
read -r _ || exit 0
exec </dev/null
# shellcheck source=/dev/null # the line that starts the container, written by whoever started this
. "$scratch/start"
