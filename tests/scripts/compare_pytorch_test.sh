#!/bin/sh
# compare_pytorch.sh runs both programs in turns with the same batch, threads and precision, and prints the ratio of
# the medians' rounds.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "compare_pytorch_test: $*" >&2
  exit 1
}

# A program and a Python, both fakes: they note their arguments and print a rate.
cat >"$folder/step_bench" <<'PROGRAM'
#!/bin/sh
echo "ours $*" >>"$LOG"
echo '{"images_per_second": 3000.0}'
PROGRAM
cat >"$folder/python" <<'PROGRAM'
#!/bin/sh
[ "$1" != -c ] || exit 0
echo "theirs $*" >>"$LOG"
echo '{"images_per_second": 1500.0}'
PROGRAM
chmod +x "$folder/step_bench" "$folder/python"
touch "$folder/peer.py"
export LOG="$folder/log" GRADFLIP_BIN="$folder" PYTHON="$folder/python"

result=$(THREADS=3 BATCH=64 PRECISION=bf16 PEER_OPTIONS='--channels-last' \
  benchmarks/compare_pytorch.sh "$folder/peer.py" 2 2>/dev/null)
[ "$result" = 'batch 64, 3 threads, bf16, 2 rounds: gradflip 3,000 images/s, PyTorch 1,500 images/s, ratio 2.00' ] ||
  fail "printed $result"
[ "$(cut -d ' ' -f 1 "$LOG" | tr '\n' ' ')" = 'ours theirs ours theirs ' ] || fail 'not in turns'
for option in '--batch 64' '--threads 3' '--precision bf16'; do
  [ "$(grep -c -- "$option" "$LOG")" -eq 4 ] || fail "not both got $option"
done
[ "$(grep -c -- '--channels-last' "$LOG")" -eq 2 ] || fail 'PEER_OPTIONS did not reach the peer'

# The table: the same two programs over its cases, medians of pairs.
: >"$LOG"
benchmarks/compare_pytorch.sh --table --quick --rounds 2 --threads 4 --seconds 0.1 --peer "$folder/peer.py" \
  --json "$folder/table.json" >"$folder/table.md" 2>/dev/null || fail "--table ended with $?"
[ "$(grep -c '| dann | f32 | 128 | 4 | 3,000 | 1,500 | .* | 2.00 |' "$folder/table.md")" -eq 2 ] ||
  fail "the table: $(cat "$folder/table.md")"
[ "$(python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(len(d["rows"]), d["rows"][0]["pairs"])' \
  "$folder/table.json")" = '5 [[3000.0, 1500.0], [3000.0, 1500.0]]' ] || fail 'the document of the table'
[ "$(cut -d ' ' -f 1 "$LOG" | head -n 4 | tr '\n' ' ')" = 'ours theirs ours theirs ' ] || fail 'the table is not in turns'

# Two views: its own peer, and the recipe that this computes.
: >"$LOG"
benchmarks/compare_pytorch.sh --table --two-views --rounds 1 --threads 2 --seconds 0.1 >"$folder/table.md" 2>/dev/null ||
  fail "--table --two-views ended with $?"
[ "$(grep -c '| dann-two-views | .* | 2.00 |' "$folder/table.md")" -eq 4 ] || fail "two views: $(cat "$folder/table.md")"
[ "$(grep -c 'ours .*--network digits-m .*--augment strong' "$LOG")" -eq 4 ] || fail 'not the recipe of two views'
[ "$(grep -c 'theirs .*peers/torch_digits_m.py .*--channels-last' "$LOG")" -eq 4 ] || fail 'not the peer of two views'

code=0
GRADFLIP_BIN=$folder/nowhere benchmarks/compare_pytorch.sh 2>/dev/null || code=$?
[ $code -eq 2 ] || fail "without step_bench it ended with $code"
code=0
benchmarks/compare_pytorch.sh --unknown 2>/dev/null || code=$?
[ $code -eq 2 ] || fail "an unknown option ended with $code"
