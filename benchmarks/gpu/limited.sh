#!/bin/sh
# Runs a command for a limited time in a session of its own, of which nothing is left afterwards:
#   benchmarks/gpu/limited.sh SECONDS COMMAND [ARGUMENT...]
# timeout(1) waits for ever for a process that cannot die, as one that hangs in a driver, and leaves alone what its
# command moved to another process group, as ninja, and timeout itself, do with what they start.
#
# The command ends, too, when this script is told to or when the process $LIMITED_CALLER (default: who called it) is gone.
# Between SIGTERM and SIGKILL, and once more after that, pass $LIMITED_GRACE seconds (default 3).
# Exit code: the command's; 124: time ran out; 125: something did not die and was left behind; 143: ended from outside.
set -u
[ $# -ge 2 ] || { echo 'usage: limited.sh SECONDS COMMAND...' >&2 && exit 2; }
seconds=$1
shift
grace=${LIMITED_GRACE:-3}
caller=${LIMITED_CALLER:-$PPID}

# stat_of PID: sets `state`, `parent` and `session`, after the name, which may hold blanks and brackets.
stat_of() {
  state=
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086  # a list of words: state, parent, process group, session
  set -- ${line##*) }
  state=$1 parent=$2 session=$4
}

# The living processes of the command's session, and its leader, which may not have begun it yet.
members() {
  for process in /proc/[0-9]*; do
    process=${process#/proc/}
    if ! stat_of "$process" || [ "$state" = Z ]; then continue; fi
    if [ "$session" = "$leader" ] || { [ "$process" = "$leader" ] && [ "$parent" = $$ ]; }; then
      echo "$process"
    fi
  done
}

# Whether nothing of the session is left in the end.
end_session() {
  for signal in TERM KILL; do
    patience=$(($(date +%s) + grace))
    while left=$(members) && [ -n "$left" ]; do
      # shellcheck disable=SC2086  # a list of words
      kill -"$signal" $left 2>/dev/null
      [ "$(date +%s)" -le "$patience" ] || break
      sleep 0.1
    done
    [ -n "$left" ] || return 0
  done
  return 1
}

finish() {
  end_session || code=125
  rm -f "$code_file"
  exit "$code"
}

# Before anything is started, so that a signal finds nothing half begun: the loop below sees it.
ended=
trap 'ended=1' TERM INT HUP
code_file=$(mktemp) || exit 6
# shellcheck disable=SC2016  # of the inner shell
setsid sh -c 'file=$1; shift; "$@"; echo $? >"$file"' limited "$code_file" "$@" &
leader=$!

deadline=$(($(date +%s) + seconds))
code=
pause=0.1
polls=0
while [ ! -s "$code_file" ] && stat_of "$leader" && [ "$state" != Z ]; do
  if [ "$(date +%s)" -gt "$deadline" ]; then
    code=124
    break
  fi
  # A caller that is dead may stay in the list of processes until its own caller asks for it.
  if [ -n "$ended" ] || ! stat_of "$caller" || [ "$state" = Z ]; then
    code=143
    break
  fi
  sleep "$pause"
  polls=$((polls + 1))
  [ "$polls" -lt 30 ] || pause=0.5
done
# Neither a code nor a leader: it was killed.
[ -n "$code" ] || code=$(cat "$code_file")
[ -n "$code" ] || code=137
finish
