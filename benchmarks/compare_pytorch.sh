#!/bin/sh
# Training throughput beside PyTorch: whole DANN steps of the paper's network, in turns, medians and their ratio.
#
#   benchmarks/compare_pytorch.sh [PEER] [ROUNDS]
#   benchmarks/compare_pytorch.sh --setup               installs the distribution's PyTorch and what makes it faster
#   benchmarks/compare_pytorch.sh --setup-newest DIR    the newest that pip finds, in a virtual environment at DIR
#   benchmarks/compare_pytorch.sh --table [OPTION...]   modes, precisions, batches, threads; see pytorch_table.py
#   benchmarks/compare_pytorch.sh --table --two-views   steps with batch norm, dropout and two augmented views
#
# PEER (default benchmarks/peers/torch_dann.py) runs under $PYTHON (default python3) with $PEER_OPTIONS added; it takes
# --device --threads --batch --mode --precision --repeats --min-time --json and prints {"images_per_second", ...}.
# ROUNDS (default 5) of both, one after the other, so that whatever else the machine does hits both. From the
# environment: THREADS (default: all), BATCH (128), DEVICE (cpu), PRECISION (f32), SECONDS_EACH (2).
# Ours includes sampling and normalising the pictures; the peer's are in memory, ready.
set -eu

case ${1:-} in
  --help | -h) sed -n '2,15s/^# \{0,1\}//p' "$0" && exit ;;
  --setup)
    cd "$(dirname "$0")/.."
    . scripts/setup.sh
    install_packages python3-torch libopenblas0-openmp libtcmalloc-minimal4
    echo 'compare_pytorch: set PYTHON=/usr/bin/python3 for the packaged PyTorch' >&2
    exit ;;
  --setup-newest)
    [ $# -eq 2 ] || { echo 'compare_pytorch: --setup-newest needs a folder' >&2; exit 2; }
    cd "$(dirname "$0")/.."
    . scripts/setup.sh
    install_packages python3-venv libtcmalloc-minimal4
    python3 -m venv "$2"
    "$2/bin/pip" install torch torchvision numpy
    echo "compare_pytorch: set PYTHON=$2/bin/python for it" >&2
    exit ;;
  --table) shift && exec python3 "$(dirname "$0")/pytorch_table.py" "$@" ;;
  -*) echo "compare_pytorch: unknown option $1 (see $0 --help)" >&2 && exit 2 ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
peer=${1:-$root/benchmarks/peers/torch_dann.py}
rounds=${2:-5}
program=${GRADFLIP_BIN:-$root/build/release/bin}/step_bench
python=${PYTHON:-python3}
threads=${THREADS:-$(nproc)}
batch=${BATCH:-128}
device=${DEVICE:-cpu}
precision=${PRECISION:-f32}
seconds=${SECONDS_EACH:-2}
[ -x "$program" ] || { echo "compare_pytorch: $program is missing; run ./demo.sh first" >&2; exit 2; }
[ -f "$peer" ] || { echo "compare_pytorch: $peer is missing" >&2; exit 2; }
"$python" -c 'import torch' 2>/dev/null ||
  { echo "compare_pytorch: $python has no PyTorch; name one that has with PYTHON" >&2; exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM

# rate FILE: the images per second of a JSON document.
rate() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["images_per_second"])' "$1"
}

round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  "$program" --mode dann --batch "$batch" --threads "$threads" --device "$device" --precision "$precision" \
    --seconds "$seconds" --json >"$folder/ours.json"
  # shellcheck disable=SC2086  # a list of words
  "$python" "$peer" --device "${device%%:*}" --threads "$threads" --batch "$batch" --mode dann \
    --precision "$precision" --repeats 5 --min-time "$(echo "$seconds" | awk '{ print $1 / 5 }')" --json \
    ${PEER_OPTIONS:-} >"$folder/theirs.json"
  ours=$(rate "$folder/ours.json")
  theirs=$(rate "$folder/theirs.json")
  echo "$ours $theirs" >>"$folder/rounds"
  echo "round $round  gradflip $ours  PyTorch $theirs" >&2
done

python3 - "$folder/rounds" "$batch" "$threads" "$precision" <<'PYTHON'
import statistics, sys
rows = [tuple(map(float, line.split())) for line in open(sys.argv[1])]
ours, theirs = (statistics.median(column) for column in zip(*rows))
ratio = statistics.median(a / b for a, b in rows)
print(f"batch {sys.argv[2]}, {sys.argv[3]} threads, {sys.argv[4]}, {len(rows)} rounds: "
      f"gradflip {ours:,.0f} images/s, PyTorch {theirs:,.0f} images/s, ratio {ratio:.2f}")
PYTHON
