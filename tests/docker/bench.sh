#!/bin/sh
# How long `docker restart` takes until every gateway is ready, and `docker stop`, for 1, 10 and 100 profiles; beside a
# container of the same image whose PID 1 is a bare s6-svscan with as many services that only sleep.
#
#   tests/docker/bench.sh [PROFILES…]     ROUNDS: how often each is measured (5); the medians are printed
#
# Both are asked in the same way whether all is ready, one after the other in each round. Whatever is made is removed.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
image=hermes-bench:trixie
scratch=$(mktemp -d)
ours=
bare=
clean() {
    for container in "$ours" "$bare"; do
        [ -z "$container" ] || docker rm -fv "$container" >/dev/null 2>&1 || true
    done
    rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 130' INT TERM

build() {
    target=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR=target/static \
        cargo build --release --quiet --locked --bin hermes --target "$target"
    docker/base.sh trixie 2>/dev/null
    # The same lock as tests/docker/e2e.sh: one program at a time lies where the Dockerfile looks for it.
    exec 9>target/.image-lock
    flock 9
    install -D "target/static/$target/release/hermes" docker/prebuilt/hermes
    docker build --quiet --label hermes.test=1 --tag "$image" --build-arg BINARY=prebuilt . >/dev/null
    exec 9>&-
}

now() { date +%s%N; }

ready() { # CONTAINER, SCAN DIRECTORY, SERVICES: waits until that many services are supervised, up and ready
    # shellcheck disable=SC2016 # the container's shell expands it
    timeout 120 docker exec "$1" sh -c '
        until test "$(for s in "$0"/gateway-*; do s6-svstat -o ready "$s"; done 2>/dev/null | grep -c true)" = "$1"; do
            sleep 0.02
        done' "$2" "$3" || { echo "bench.sh: $3 services of $1 were not ready in 120 s" >&2; exit 1; }
}

# Ports are given: of a hundred that follow from names, two would be the same.
start_ours() { # PROFILES
    ours=$(docker run -d --label hermes.test=1 "$image")
    # shellcheck disable=SC2016
    docker exec -u hermes "$ours" sh -ec '
        for i in $(seq 2 "$0"); do
            mkdir -p "profiles/p$i"
            echo "port = $((10000 + i))" > "profiles/p$i/gateway.toml"
            echo "{\"intent\":\"running\"}" > "profiles/p$i/gateway_intent.json"
            : > "profiles/p$i/SOUL.md"
        done
        echo "{\"intent\":\"running\"}" > gateway_intent.json' "$1"
    docker restart "$ours" >/dev/null
    ready "$ours" /run/service "$1"
}

start_bare() { # SERVICES
    # shellcheck disable=SC2016
    bare=$(docker run -d --label hermes.test=1 --entrypoint sh "$image" -ec '
        for i in $(seq "$0"); do
            test -d "/srv/all/gateway-$i" && continue
            mkdir -p "/srv/all/gateway-$i"
            printf "#!/bin/sh\necho >&3\nexec 3>&- sleep infinity\n" > "/srv/all/gateway-$i/run"
            chmod +x "/srv/all/gateway-$i/run"
            echo 3 > "/srv/all/gateway-$i/notification-fd"
        done
        rm -rf /run/all
        cp -r /srv/all /run/all
        exec s6-svscan /run/all' "$1")
    ready "$bare" /run/all "$1"
}

round() { # NAME, CONTAINER, SCAN DIRECTORY, SERVICES
    began=$(now)
    docker restart "$2" >/dev/null
    ready "$2" "$3" "$4"
    echo $(($(now) - began)) >>"$scratch/$1-restart-$4"
    began=$(now)
    docker stop "$2" >/dev/null
    echo $(($(now) - began)) >>"$scratch/$1-stop-$4"
    docker start "$2" >/dev/null
    ready "$2" "$3" "$4"
}

median() { # FILE: in nanoseconds
    sort -n "$scratch/$1" | sed -n "$(((rounds + 1) / 2))p"
}

pair() { # WHAT, SERVICES: both in seconds, and the ratio
    awk -v ours="$(median "ours-$1-$2")" -v bare="$(median "bare-$1-$2")" \
        'BEGIN { printf "%.2f s | %.2f s | %.2f ×", ours / 1e9, bare / 1e9, ours / bare }'
}

build
[ $# -gt 0 ] || set -- 1 10 100
echo "| profiles | \`docker restart\` until all are ready | bare s6 | ratio | \`docker stop\` | bare s6 | ratio |"
echo "|---|---|---|---|---|---|---|"
for count in "$@"; do
    start_ours "$count"
    start_bare "$count"
    for _ in $(seq "$rounds"); do
        round ours "$ours" /run/service "$count"
        round bare "$bare" /run/all "$count"
    done
    echo "| $count | $(pair restart "$count") | $(pair stop "$count") |"
    docker rm -fv "$ours" "$bare" >/dev/null
    ours=
    bare=
done
