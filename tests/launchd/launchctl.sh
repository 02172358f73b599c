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

# A reader sees the old words or the new.
write() { # NAME, WORDS
    echo "$2" >"$state/$1.$$" && mv "$state/$1.$$" "$state/$1"
}

run() { # LABEL: what launchd does with a loaded job, until it has ended well or is on its way out
    label=$1
    code=1
    while test ! -e "$state/$label.leaving" && test "$code" != 0; do
        words=$(sed -n '/<array>/,/<\/array>/s/.*<string>\(.*\)<\/string>.*/\1/p' "$(cat "$state/$label.loaded")")
        log=$(value "$label" StandardOutPath)
        # shellcheck disable=SC2086 # no word of the tests has a space
        env -i HOME="$HOME" PATH="$PATH" HERMES_HOME="$(value "$label" HERMES_HOME)" \
            HERMES_SUPERVISOR="$(value "$label" HERMES_SUPERVISOR)" \
            HERMES_SUPERVISED_CHILD="$(value "$label" HERMES_SUPERVISED_CHILD)" $words >>"$log" 2>&1 &
        write "$label.pid" $!
        # A caller that wanted it to end may have come before it could know the process.
        test ! -e "$state/$label.leaving" || kill -TERM $!
        wait $!
        code=$?
        test "$code" = 137 && code=-9
        # In this order: no process and no end would be read as an end in success.
        write "$label.status" "$code"
        rm -f "$state/$label.pid"
        ticks=$(($(value "$label" ThrottleInterval) * 20))
        while test "$code" != 0 && test ! -e "$state/$label.leaving" && test "$ticks" -gt 0; do
            sleep 0.05
            ticks=$((ticks - 1))
        done
    done
    rm -f "$state/$label.runner"
}

begin() { # LABEL
    : >"$state/$1.runner"
    setsid "$0" run "$1" >/dev/null 2>&1 </dev/null &
}

end() { # LABEL: TERM, ExitTimeOut, KILL
    limit=$(($(value "$1" ExitTimeOut) * 20))
    : >"$state/$1.leaving"
    pid=$(cat "$state/$1.pid" 2>/dev/null) && kill -TERM "$pid" 2>/dev/null
    while test -e "$state/$1.runner"; do
        sleep 0.05
        limit=$((limit - 1))
        test "$limit" != 0 || kill -KILL "$(cat "$state/$1.pid")"
    done
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
    write "$label.loaded" "$2"
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
    # It runs, or is about to, or has just ended in success.
    while test -e "$state/$label.runner" && test ! -e "$state/$label.pid"; do sleep 0.05; done
    test -e "$state/$label.runner" || begin "$label"
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
