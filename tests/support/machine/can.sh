#!/bin/sh
# Can this machine make machines for tests? Says what is missing, and exits 1; else says nothing.
if [ "$(id -u)" != 0 ]; then
    echo "needs root, to make namespaces"
    exit 1
fi
for program in s6-svscan s6-supervise s6-svc s6-svscanctl s6-log s6-setuidgid; do
    command -v "$program" >/dev/null 2>&1 || { echo "no $program here (Debian: apt-get install s6)"; exit 1; }
done
for program in unshare nsenter setpriv perl; do
    command -v "$program" >/dev/null 2>&1 || { echo "no $program here (Debian: apt-get install util-linux perl-base)"; exit 1; }
done
# As init.sh does: a file system of its own, and a loopback device that is up.
# shellcheck disable=SC2016 # the dollars are perl's
if ! unshare --pid --fork --mount --net --mount-proc --kill-child sh -c 'mount -t tmpfs none /run && exec perl -e "$0"' \
    'my $up = pack("a16 s x14", "lo", 0x41); socket(my $s, 2, 2, 0) or exit 1; ioctl($s, 0x8914, $up) or exit 1' 2>/dev/null; then
    echo "this machine makes no PID, mount and network namespaces (a container without the capabilities SYS_ADMIN and NET_ADMIN?)"
    exit 1
fi
