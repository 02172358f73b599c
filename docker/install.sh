#!/bin/sh
# What the image holds beside packages and the program: the user, the directory /command, the two scripts.
set -eu
groupadd --gid 10000 hermes
useradd --uid 10000 --gid 10000 --home-dir /opt/data --no-create-home --shell /bin/sh --comment '' hermes
install -d -o hermes -g hermes /opt/data
# For containers started with --user; where PID 1 is root it takes the first two for itself.
install -d -o hermes -g hermes /run/hermes /run/s6 /run/service

# One place for every s6 and execline program, as s6-overlay has it: scripts of the slots and `docker exec` find them there.
install -d /command
for tool in /usr/bin/s6-* /usr/bin/execlineb /usr/lib/execline/bin/*; do
  ln -sf "$tool" /command/
done
cd /usr/local/lib/hermes
install -m 0755 with-contenv /command/with-contenv
rm with-contenv
chmod 0755 healthcheck hand-over
