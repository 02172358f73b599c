# hermes on Debian's own s6. Where debian:trixie-slim cannot be pulled, make it first: `docker/base.sh && docker build .`
#
# BASE      what the image is built on: debian:bookworm-slim (s6 2.11), debian:trixie-slim (2.13), debian:sid-slim (2.15)
# BUILDER   where the program is compiled; it is linked statically, so one build serves every base
# BINARY    `compile` does so; `prebuilt` takes docker/prebuilt/hermes, which somebody compiled already
ARG BASE=debian:trixie-slim
ARG BUILDER=debian:trixie-slim

FROM ${BUILDER} AS builder
ARG BINARY=compile
WORKDIR /build
# With docker/build.sh come the certificates of docker/ca/*.crt, if there are any: the builder trusts them, the image does not.
COPY docker/build.sh docker/c[a]/*.crt docker/ca/
RUN mv docker/ca/build.sh docker/
RUN docker/build.sh packages
ENV RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=/build/target
COPY Cargo.toml Cargo.lock ./
COPY sim/Cargo.toml sim/
RUN docker/build.sh dependencies
COPY docker docker
COPY src src
RUN docker/build.sh program

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends s6 execline ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
COPY docker/with-contenv docker/healthcheck docker/hand-over docker/install.sh /usr/local/lib/hermes/
RUN sh /usr/local/lib/hermes/install.sh && rm /usr/local/lib/hermes/install.sh
COPY --from=builder /out/hermes /usr/local/bin/hermes
ENV HERMES_HOME=/opt/data \
    PATH=/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /opt/data
VOLUME /opt/data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["/usr/local/lib/hermes/healthcheck"]
ENTRYPOINT ["/usr/local/bin/hermes", "boot", "init", "--"]
