#!/bin/sh
# limited.sh ends with its command's exit code, or ends it with all that it started: after its time, on a signal at
# whatever moment, and when its caller is dead.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LIMITED_GRACE=0

fail() {
  echo "limited_test: $*" >&2
  exit 1
}

# ends CODE COMMAND...: and nothing is left that has the folder in its command line.
ends() {
  wanted=$1
  shift
  code=0
  "$@" || code=$?
  [ $code -eq "$wanted" ] || fail "$* ended with $code, not $wanted"
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case $line in
      *limited_test* | *limited.sh*) ;;
      *"$folder"*) fail "$* left behind: $line" ;;
    esac
  done
}

limited() {
  benchmarks/gpu/limited.sh "$@"
}

waits="while :; do sleep 0.1; done"
ends 0 limited 5 true
ends 7 limited 5 sh -c 'exit 7'
# shellcheck disable=SC2016  # of the inner shell
ends 137 limited 5 sh -c 'kill -9 $PPID'
ends 124 limited 1 sh -c "trap '' TERM; $waits" "$folder"

# told_after SECONDS: to end.
told_after() {
  benchmarks/gpu/limited.sh 20 sh -c "$waits" "$folder" &
  script=$!
  sleep "$1"
  kill $script
  wait $script
}
ends 143 told_after 1
# As early as can be: the command has no session yet. It would begin one and go on.
mkdir "$folder/bin"
setsid=$(command -v setsid)
printf '#!/bin/sh\nsleep 0.5\nexec %s "$@"\n' "$setsid" >"$folder/bin/setsid"
chmod +x "$folder/bin/setsid"
early() {
  PATH=$folder/bin:$PATH told_after 0.2
}
early_end() {
  code=0
  early || code=$?
  sleep 0.7
  return $code
}

ends 143 early_end

# A caller that is gone, and one that is dead but still listed.
sh -c : &
gone=$!
wait $gone
LIMITED_CALLER=$gone ends 143 limited 20 sh -c "$waits" "$folder"
if command -v python3 >/dev/null; then
  zombie() {
    python3 - "$folder" "$waits" <<'PYTHON'
import os, subprocess, sys, time
dead = subprocess.Popen(["true"])
time.sleep(0.2)
sys.exit(subprocess.run(["benchmarks/gpu/limited.sh", "20", "sh", "-c", sys.argv[2], sys.argv[1]],
                        env={**os.environ, "LIMITED_CALLER": str(dead.pid)}).returncode)
PYTHON
  }
  begin=$(date +%s)
  ends 143 zombie
  [ $(($(date +%s) - begin)) -lt 10 ] || fail 'a dead caller is waited for'
fi
