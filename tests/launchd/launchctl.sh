#!/bin/sh
# A launchctl for tests: exactly the subcommands that hermes calls, with the exit codes and words of launchctl(1). What is
# loaded really runs, and is started again while it ends in failure. Its state lies in $HOME/.launchd.
#
# Not of launchctl, for the tests: `login` and `logout`.
set -u
state=$HOME/.launchd
mkdir -p "$state"

fail() { # CODE, WORDS
    echo "$2" >&2
    exit "$1"
}

# The value of the key's line in the agent of a label.
value() { # LABEL, KEY
    sed -n "/<key>$2</{n;s/.*>\\(.*\\)<.*/\\1/p;q}" "$(cat "$state/$1.loaded")"
}

run() { # LABEL: what launchd does with a loaded job
    label=$1
    while test -e "$state/$label.loaded" && test ! -e "$state/$label.leaving"; do
        words=$(sed -n '/<array>/,/<\/array>/s/.*<string>\(.*\)<\/string>.*/\1/p' "$(cat "$state/$label.loaded")")
        log=$(value "$label" StandardOutPath)
        # shellcheck disable=SC2086 # no word of the tests has a space
        env -i HOME="$HOME" PATH="$PATH" HERMES_HOME="$(value "$label" HERMES_HOME)" \
            HERMES_SUPERVISOR="$(value "$label" HERMES_SUPERVISOR)" \
            HERMES_SUPERVISED_CHILD="$(value "$label" HERMES_SUPERVISED_CHILD)" $words >>"$log" 2>&1 &
        echo $! >"$state/$label.new" && mv "$state/$label.new" "$state/$label.pid"
        wait $!
        code=$?
        test "$code" = 137 && code=-9
        echo "$code" >"$state/$label.status"
        rm -f "$state/$label.pid"
        test "$code" = 0 && break
        sleep "$(test -e "$state/$label.loaded" && value "$label" ThrottleInterval || echo 0)"
    done
}

begin() { # LABEL
    setsid "$0" run "$1" >/dev/null 2>&1 </dev/null &
}

end() { # LABEL
    limit=$(($(value "$1" ExitTimeOut) * 20))
    : >"$state/$1.leaving"
    pid=$(cat "$state/$1.pid" 2>/dev/null) && kill -TERM "$pid" 2>/dev/null
    while test -e "$state/$1.pid" && test "$limit" -gt 0; do
        sleep 0.05
        limit=$((limit - 1))
    done
    test ! -e "$state/$1.pid" || kill -KILL "$pid" 2>/dev/null
    rm -f "$state/$1.loaded" "$state/$1.leaving"
}

action=$1
shift
target=
for target; do :; done
label=${target##*/}
case $action in
run) run "$1" ;;
managername) echo Aqua ;;
list)
    printf 'PID\tStatus\tLabel\n'
    for loaded in "$state"/*.loaded; do
        test -e "$loaded" || continue
        label=$(basename "$loaded" .loaded)
        printf '%s\t%s\t%s\n' "$(cat "$state/$label.pid" 2>/dev/null || echo -)" \
            "$(cat "$state/$label.status" 2>/dev/null || echo 0)" "$label"
    done
    ;;
print-disabled)
    echo "	disabled services = {"
    for disabled in "$state"/*.disabled; do
        test -e "$disabled" && printf '\t\t"%s" => disabled\n' "$(basename "$disabled" .disabled)"
    done
    echo "	}"
    ;;
enable) rm -f "$state/$label.disabled" ;;
disable) : >"$state/$label.disabled" ;;
bootstrap)
    label=$(basename "$2" .plist)
    test ! -e "$HOME/nobody-is-logged-in" || fail 125 "Bootstrap failed: 125: Domain does not support specified action"
    test ! -e "$state/$label.disabled" || fail 119 "Bootstrap failed: 119: Service is disabled"
    test ! -e "$state/$label.loaded" || fail 5 "Bootstrap failed: 5: Input/output error"
    rm -f "$state/$label.status"
    echo "$2" >"$state/$label.loaded"
    begin "$label"
    ;;
bootout)
    test -e "$state/$label.loaded" || fail 3 "Boot-out failed: 3: No such process"
    # It returns while the job is still on its way out.
    : >"$state/$label.leaving"
    setsid "$0" end "$label" >/dev/null 2>&1 </dev/null &
    ;;
end) end "$1" ;;
kickstart)
    test -e "$state/$label.loaded" || fail 113 "Could not find service \"$label\" in domain"
    test ! -e "$state/$label.leaving" || fail 36 "Operation now in progress"
    test -e "$state/$label.pid" || begin "$label"
    ;;
kill)
    test -e "$state/$label.loaded" || fail 113 "Could not find service \"$label\" in domain"
    kill -TERM "$(cat "$state/$label.pid")" || fail 3 "Could not kill: 3: No such process"
    ;;
logout)
    for loaded in "$state"/*.loaded; do
        test ! -e "$loaded" || end "$(basename "$loaded" .loaded)"
    done
    ;;
login)
    for agent in "$HOME"/Library/LaunchAgents/*.plist; do
        label=$(basename "$agent" .plist)
        test -e "$state/$label.disabled" || "$0" bootstrap gui/0 "$agent"
    done
    ;;
*) fail 64 "Unrecognized subcommand: $action" ;;
esac
