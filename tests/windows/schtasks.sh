#!/bin/sh
# A schtasks for tests: exactly what hermes calls, with the words of Microsoft's reference for schtasks and the numbers of
# its Task Scheduler constants. What is enabled really runs: started when asked, and again whenever it does not run, as its
# repeating trigger says, with a minute that takes half a second, or for ever where $HOME/.schtasks/long-minute is. Its state
# lies in that directory.
#
# Not of schtasks, for the tests: `logon` and `logoff`.
set -u
state=$HOME/.schtasks
mkdir -p "$state"

fail() { # WORDS
    echo "ERROR: $1" >&2
    exit 1
}

is_enabled() { # LABEL
    sed -n '/<Settings>/,/<\/Settings>/p' "$state/$1.xml" | grep -q '<Enabled>true</Enabled>'
}

# A reader sees the old file or the new.
write() { # NAME, from standard input
    cat >"$state/$1.$$" && mv "$state/$1.$$" "$state/$1"
}

# The words after `cmd.exe /d /v:off /s /c`, as a shell takes them.
words() { # LABEL
    sed -n 's/.*<Arguments>\(.*\)<\/Arguments>.*/\1/p' "$state/$1.xml" |
        sed -e 's/^\/d \/v:off \/s \/c "\(.*\)"$/\1/' -e 's/&gt;/>/g' -e 's/&lt;/</g' -e 's/&amp;/\&/g' \
            -e 's/set "/export "/g' -e 's/\(.*\)&&"/\1\&\&exec "/'
}

run() { # LABEL: one run of its action
    : >"$state/$1.begun"
    env -i HOME="$HOME" PATH="$PATH" HERMES_WINDOWS_BIN_DIR="${0%/*}" \
        sh -c "$(words "$1")" &
    echo $! | write "$1.pid"
    wait $!
    code=$?
    test ! -e "$state/$1.ending" || code=267014
    echo "$code" | write "$1.result"
    rm -f "$state/$1.pid" "$state/$1.ending"
    rmdir "$state/$1.running"
}

# What a task is and what is asked of it, one after the other, as in a service: none begins what another has just disabled.
in_turn() {
    flock -o "$state/turn" "$0" "$@"
}

begin() { # LABEL: if it is enabled, and does not run (IgnoreNew)
    is_enabled "$1" || return 1
    mkdir "$state/$1.running" 2>/dev/null || return 0
    setsid "$0" run "$1" >/dev/null 2>&1 </dev/null &
}

switch() { # LABEL, true or false
    sed "/<Settings>/,/<\\/Settings>/s/<Enabled>.*</<Enabled>$2</" "$state/$1.xml" | write "$1.xml"
}

schedule() { # until the user logs off
    minute=0
    while test -e "$state/logged-on"; do
        if test "$minute" = 0; then
            minute=10
            for xml in "$state"/*.xml; do
                label=$(basename "$xml" .xml)
                test ! -e "$xml" || test -e "$state/long-minute" || in_turn begin "$label"
            done
        fi
        sleep 0.05
        minute=$((minute - 1))
    done
}

end() { # LABEL: it is asked (WM_CLOSE), and terminated after a while
    while test -e "$state/$1.running" && test ! -e "$state/$1.pid"; do sleep 0.05; done
    : >"$state/$1.ending"
    limit=200
    kill -TERM "$(cat "$state/$1.pid" 2>/dev/null)" 2>/dev/null || limit=0
    while test -e "$state/$1.running" && test "$limit" != 0; do
        sleep 0.05
        limit=$((limit - 1))
        test "$limit" != 0 || kill -KILL "$(cat "$state/$1.pid")"
    done
    rm -f "$state/$1.ending"
}

row() { # LABEL: the columns of /V, as far as Last Result and some more
    result=$(cat "$state/$1.result" 2>/dev/null || echo 267011)
    status=Ready
    test ! -e "$state/$1.running" || { status=Running && result=267009; }
    printf '"PC","\\hermes\\%s","N/A","%s","Interactive only","11/21/2026 10:00:00 AM","%s","N/A","%%SystemRoot%%\\System32\\cmd.exe /d"\n' \
        "$1" "$status" "$result"
}

action=$1
shift
case $action in
# What it asks of itself.
run | begin | switch | end | schedule)
    "$action" "$@"
    exit
    ;;
esac
label=
xml=
options=
while test $# -gt 0; do
    case $1 in
    /TN) label=${2##*\\} && shift ;;
    /XML) test "$action" != /Create || { xml=$2 && shift; } && options="$options xml" ;;
    /V) options="$options verbose" ;;
    /ENABLE | /DISABLE) options=$1 ;;
    /FO | /NH | /F | CSV) ;;
    *) fail "Invalid argument/option - '$1'." ;;
    esac
    shift
done
# A user who is there has a scheduler.
case $action in
/*)
    test -e "$state/logged-off" || test -e "$state/logged-on" || "$0" logon
    test -z "$label" || test "$action" = /Create || test -e "$state/$label.xml" ||
        fail "The system cannot find the file specified."
    ;;
esac
case $action$options in
logon)
    rm -f "$state/logged-off"
    : >"$state/logged-on"
    setsid "$0" schedule >/dev/null 2>&1 </dev/null &
    ;;
logoff)
    rm -f "$state/logged-on"
    : >"$state/logged-off"
    for running in "$state"/*.running; do
        test ! -e "$running" || end "$(basename "$running" .running)"
    done
    ;;
"/Create xml")
    test -e "$xml" || fail "The system cannot find the file specified."
    write "$label.xml" <"$xml"
    echo "SUCCESS: The scheduled task \"\\hermes\\$label\" has successfully been created."
    ;;
/Query)
    for task in "$state"/*.xml; do
        test ! -e "$task" || printf '"\\hermes\\%s","N/A","Ready"\n' "$(basename "$task" .xml)"
    done
    ;;
"/Query xml") cat "$state/$label.xml" ;;
"/Query verbose") row "$label" && row "$label" ;;
/Change/*)
    word=true
    test "$options" = /ENABLE || word=false
    in_turn switch "$label" "$word"
    echo "SUCCESS: The parameters of scheduled task \"\\hermes\\$label\" have been changed."
    ;;
/Run)
    test ! -e "$state/logged-off" || fail "The operator or administrator has refused the request."
    in_turn begin "$label" || fail "The scheduled task \"\\hermes\\$label\" is disabled."
    echo "SUCCESS: Attempted to run the scheduled task \"\\hermes\\$label\"."
    ;;
/End)
    test -e "$state/$label.running" || fail "There is no running instance of the task."
    # It answers while the gateway is still on its way out.
    setsid "$0" end "$label" >/dev/null 2>&1 </dev/null &
    echo "SUCCESS: The scheduled task \"\\hermes\\$label\" has been terminated successfully."
    ;;
/Delete)
    rm -f "$state/$label.xml" "$state/$label.result"
    echo "SUCCESS: The scheduled task \"\\hermes\\$label\" was successfully deleted."
    ;;
*) fail "Invalid syntax." ;;
esac
