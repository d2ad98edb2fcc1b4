#!/bin/sh
# Training throughput beside PyTorch: whole DANN steps of the paper's network, interleaved, medians and their ratio.
#
#   benchmarks/compare_pytorch.sh PEER [ROUNDS]
#
# PEER is a PyTorch program of the same workload that takes --threads --batch --mode --json and prints
# {"images_per_s", ...}; it runs under $PYTHON (default python3). ROUNDS (default 5) of both, one after the other, so
# that whatever else the machine does hits both. THREADS (default: all) and BATCH (default 128) come from the
# environment. Ours includes sampling and normalising the pictures; the peer's are in memory, ready.
set -eu

[ $# -ge 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
peer=$1
rounds=${2:-5}
root=$(cd "$(dirname "$0")/.." && pwd)
program=${GRADFLIP_BIN:-$root/build/release/bin}/dann_mnist
python=${PYTHON:-python3}
threads=${THREADS:-$(nproc)}
batch=${BATCH:-128}
[ -x "$program" ] || { echo "compare_pytorch: $program is missing; run ./demo.sh first" >&2; exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM

# number FILE KEY...: the number at that path of a JSON document
number() {
  python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]: value = value[int(key) if key.isdigit() else key]
print(value)' "$@"
}

round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  # One epoch's worth of steps a run: enough to be past start-up, short enough to interleave.
  "$program" --data builtin --mode dann --steps 1200 --batch "$batch" --threads "$threads" --json \
    >"$folder/ours.json" 2>/dev/null
  ours=$(number "$folder/ours.json" runs 0 images_per_second)
  "$python" "$peer" --threads "$threads" --batch "$batch" --mode dann --min-time 0.5 --repeats 3 \
    --pool-mib 64 --json >"$folder/theirs.json" 2>/dev/null
  theirs=$(number "$folder/theirs.json" images_per_s)
  echo "$ours $theirs" >>"$folder/rounds"
  echo "round $round  gradflip $ours  PyTorch $theirs" >&2
done

python3 - "$folder/rounds" "$batch" "$threads" <<'PYTHON'
import statistics, sys
rows = [tuple(map(float, line.split())) for line in open(sys.argv[1])]
ours, theirs = (statistics.median(column) for column in zip(*rows))
ratio = statistics.median(a / b for a, b in rows)
print(f"batch {sys.argv[2]}, {sys.argv[3]} threads, {len(rows)} rounds: "
      f"gradflip {ours:,.0f} images/s, PyTorch {theirs:,.0f} images/s, ratio {ratio:.2f}")
PYTHON
