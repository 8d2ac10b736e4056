#!/bin/sh
# Follows a daemon and prints a line for each sample, with curl and jq: follow.sh http://127.0.0.1:7117
# After a loss it resumes where it stood; what could not be had any more is a gap.
set -u

samples=${1:-http://127.0.0.1:7117}/api/v1/samples
epoch='' seq=0
while :; do
    # Which ring answers is known before it is asked for samples; if it is another one by then, that shows as a gap.
    now=$(curl -fsS "$samples?last=none" | jq -r .epoch)
    [ -n "$epoch" ] || epoch=$now
    if [ -n "$now" ]; then
        state=$(mktemp)
        echo "$epoch $seq" >"$state"
        curl -fsSN "$samples?since=$epoch:$seq&metrics=system.cpu.utilization&format=ndjson&follow=true" |
            jq --unbuffered -r 'if .type == "gap" then "missing \(.epoch) \(.reason)"
                else "\(.seq) \(.values["system.cpu.utilization"])" end' |
            while read -r first rest; do
                echo "$first $rest"
                case $first in
                missing) case $rest in *restarted) echo "$now 0" >"$state" ;; esac ;;
                *) read -r epoch _ <"$state" && echo "$epoch $first" >"$state" ;;
                esac
            done
        read -r epoch seq <"$state"
        rm -f "$state"
    fi
    sleep 1
done
