#!/bin/sh
# kill_runs.sh ends, says what is wrong and leaves nothing running, whatever the program does; its own stand-ins here.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# kill_runs.sh has a folder of its own.
export here="$folder" KILL_RUNS_PATIENCE=1

fail() {
  echo "kill_runs_test: $*" >&2
  cat "$folder/output" >&2
  exit 1
}

# The first time it runs to its end; then as $here/then says.
cat >"$folder/program" <<'PROGRAM'
#!/bin/sh
document() {
  runs=
  for mode in $1; do
    for seed in 1 2 3; do
      runs="$runs${runs:+, }{\"mode\": \"$mode\", \"seed\": $seed, \"completed\": true, \"target_test_accuracy\": 0.5}"
      [ "$2" -eq 0 ] || : >"${saved%.safetensors}-$mode-seed$seed.safetensors"
    done
  done
  echo "{\"exit_code\": $2, \"runs\": [$runs]}"
  exit "$2"
}
for saved; do :; done
[ -e "$here/began" ] || { : >"$here/began" && document 'source-only dann target-only' 0; }
. "$here/then"
while :; do sleep 0.05; done
PROGRAM
chmod +x "$folder/program"

# expect CODE LINE THEN [WORDS]: the exit code, the last line, what the program does, and what is said of it.
expect() {
  rm -f "$folder/began"
  echo "$3" >"$folder/then"
  code=0
  timeout 60 scripts/kill_runs.sh "$folder/program" 2 TERM >"$folder/output" 2>&1 || code=$?
  [ $code -eq "$1" ] || fail "$3: ended with $code"
  grep -qx "$2" "$folder/output" || fail "$3: not \"$2\""
  grep -q "${4:-}" "$folder/output" || fail "$3: no word of $4"
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case $line in *"$folder/program"*) fail "$3: still running: $line" ;; esac
  done
}
expect 0 'kill_runs: 2 of 2' "trap \"document 'source-only dann' 143\" TERM"
expect 1 'kill_runs: 0 of 2' 'kill -9 $$' JSONDecodeError
expect 1 'kill_runs: 0 of 2' 'trap "document other 143" TERM' KeyError
expect 1 'kill_runs: 0 of 2' 'trap : TERM' TimeoutExpired
