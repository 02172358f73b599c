#!/bin/sh
# The first process of a namespace container: makes its mounts and its network, waits for the start, then becomes PID 1 of
# the container. Runs in namespaces of its own. Usage: sh -c … init LOWER SCRATCH VOLUME PROGRAM
set -eu
lower=$1
scratch=$2
root=$scratch/merged
# A container is mounted again right after its end, when the kernel may still hold the previous mount: `index=off`.
mount -t overlay -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work,index=off" overlay "$root"
mount --bind "$3" "$root/opt/data"
mount --bind "$4" "$root/usr/local/bin/hermes"
mount -t proc proc "$root/proc"
: >"$root/.dockerenv"
# The sockets of the gate, if there is one: gated builds ask there before each effect.
if [ -d "$scratch/../gate" ]; then
    mkdir -p "$root/gate"
    mount --bind "$scratch/../gate" "$root/gate"
fi
# Brings `lo` up: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING.
perl -e 'my $up = pack("a16 s x14", "lo", 0x41); socket(my $s, 2, 2, 0) or die $!; ioctl($s, 0x8914, $up) or die $!'
: >"$scratch/mounted"
# End of file: the simulator ended without a start.
read -r _ || exit 0
exec </dev/null
# shellcheck source=/dev/null # the line that starts the container, written by the simulator
. "$scratch/start"
