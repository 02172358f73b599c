#!/bin/sh
# Can systemd be PID 1 of a container here? Says what is missing, else nothing.
command -v docker >/dev/null 2>&1 || { echo "no docker here"; exit 0; }
docker info >/dev/null 2>&1 || { echo "no docker engine answers"; exit 0; }
# tests/systemd/machine.rs gives a container this hierarchy; on machines without it this is untested.
test -d /sys/fs/cgroup/systemd || echo "no cgroup hierarchy of systemd's own (v1) at /sys/fs/cgroup/systemd"
