#!/bin/sh
# Trains the same seed twice and with 1, 2, 4 and 8 threads, and compares the saved weights byte for byte.
#
#   scripts/check_same_bits.sh [dann_mnist options]      default: --data builtin --mode dann --steps 200
#
# Exit 0: all identical. Exit 1: they differ (both sums are printed).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
program=${GRADFLIP_BIN:-$root/build/release/bin}/dann_mnist
[ -x "$program" ] || { echo "check_same_bits: $program is missing; run ./demo.sh or ./test.sh first" >&2; exit 2; }
[ $# -gt 0 ] || set -- --data builtin --mode dann --steps 200

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM

first=
for threads in 1 1 2 4 8; do
  "$program" "$@" --seed 1 --seeds 1 --threads "$threads" --save "$folder/model.safetensors" >/dev/null 2>&1 || {
    echo "check_same_bits: dann_mnist $* --threads $threads failed; run it alone to see why" >&2
    exit 2
  }
  sum=$(sha256sum "$folder/model.safetensors" | cut -d' ' -f1)
  echo "threads $threads  $sum"
  [ -n "$first" ] || first=$sum
  [ "$sum" = "$first" ] || { echo "check_same_bits: the weights differ" >&2; exit 1; }
done
echo "same bits"
