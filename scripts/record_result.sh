#!/bin/sh
# Runs a training command and keeps its result with what is needed to judge it: the command, machine and date.
# usage: scripts/record_result.sh docs/results/NAME.json COMMAND OPTION...     (--json is added)
# If the command fails nothing is recorded, and what it wrote goes to stdout.
# Where the command names a folder under $GRADFLIP_DATA, the file says $GRADFLIP_DATA instead of this machine's path.
set -eu

[ $# -ge 2 ] || {
  sed -n '2,3s/^# //p' "$0" >&2
  exit 2
}
file=$1
shift

partial=$(mktemp "$file.XXXXXX")
trap 'rm -f "$partial" "$partial.result"' EXIT
"$@" --json >"$partial.result" || {
  code=$?
  cat "$partial.result"  # no record, but runs that were completed are in it
  exit "$code"
}

python3 - "$partial.result" "$@" --json >"$partial" <<'PYTHON'
import datetime, json, os, shlex, subprocess, sys

result_file, command = sys.argv[1], sys.argv[2:]
data = os.environ.get("GRADFLIP_DATA", "").rstrip("/")

def without_path(value):
    if isinstance(value, str):
        return value.replace(data, "$GRADFLIP_DATA") if data else value
    if isinstance(value, list):
        return [without_path(item) for item in value]
    if isinstance(value, dict):
        return {key: without_path(item) for key, item in value.items()}
    return value

def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else os.uname().machine
    return f"{name}, {len(os.sched_getaffinity(0))} cores"

def gpu():
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""

with open(result_file, encoding="utf-8") as text:
    result = json.load(text)
on_gpu = gpu() if result["device"] == gpu() else ""
json.dump({
    "command": shlex.join(without_path(command)),
    "machine": on_gpu or cpu(),
    "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    "result": without_path(result),
}, sys.stdout, indent=1)
print()
PYTHON

chmod 644 "$partial"
mv "$partial" "$file"
echo "wrote $file" >&2
