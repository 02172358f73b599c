#!/bin/sh
# The first process of a machine, until it becomes s6-svscan: a fresh /run, a network of its own, the user hermes.
# Runs in namespaces of its own. Usage: init.sh hermes|root PROGRAM
set -eu
tree=$1
program=$2
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/s6/basedir /run/service /run/image
chown 10000:10000 /run/service
# Reached from here whatever the way to it is on the outside.
: >/run/image/hermes
mount --bind "$program" /run/image/hermes
for file in passwd group; do
    grep -v '^hermes:' "/etc/$file" >"/run/image/$file"
done
echo 'hermes:x:10000:10000:hermes:/nonexistent:/bin/sh' >>/run/image/passwd
echo 'hermes:x:10000:' >>/run/image/group
for file in passwd group; do
    mount --bind "/run/image/$file" "/etc/$file"
done
# Brings `lo` up: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING. Debian always has perl-base, and not always `ip`.
perl -e 'my $up = pack("a16 s x14", "lo", 0x41); socket(my $s, 2, 2, 0) or die $!; ioctl($s, 0x8914, $up) or die $!'
if test "$tree" = root; then
    exec s6-svscan /run/service
fi
# Giving up root clears the wish to die with the parent.
exec setpriv --reuid 10000 --regid 10000 --clear-groups --pdeathsig KILL s6-svscan /run/service
