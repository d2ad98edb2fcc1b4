#!/bin/sh
# kernel_bench finds every operation right, ours and the yardsticks', and times it; and its exit codes.
# usage: kernel_bench_test.sh PROGRAM
set -eu

program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "kernel_bench_test: $*" >&2
  exit 1
}

# All but most of the layers that only conv2d is timed at.
code=0
"$program" --device cpu --batches 4 --benchmark_min_time=0.001 --json "$folder/rows.json" \
  "--benchmark_filter=-/(1x1|5x5|3x3_14|3x3_28)" \
  >"$folder/output" 2>"$folder/errors" || code=$?
if grep -q 'timings mean nothing' "$folder/errors"; then
  [ $code -eq 2 ] || fail "a build without optimisation ended with $code"
  exit 0
fi
[ $code -eq 0 ] || fail "ended with $code: $(grep -h WRONG "$folder/output"; cat "$folder/errors")"

python3 - "$folder/rows.json" <<'PYTHON'
import json, sys

document = json.load(open(sys.argv[1]))
ours = [row for row in document["rows"] if row["library"] == "gradflip"]
operations = {row["op"] for row in ours}
expected = {"conv_block_forward", "conv_block_backward_data", "conv_block_backward_filter", "conv2d_forward",
            "conv2d_backward_data", "conv2d_backward_filter", "linear_forward", "linear_backward_data",
            "linear_backward_weight", "merge_fused", "merge_composed", "grl_backward", "softmax_cross_entropy",
            "softmax_cross_entropy_rows", "bce_with_logits", "bce_with_logits_rows", "relu_forward", "relu_backward",
            "exp", "max_pool2d_forward", "max_pool2d_backward", "mean_pool2d_forward", "mean_pool2d_backward",
            "instance_norm_forward", "moments", "batch_norm_forward", "batch_norm_sums", "batch_norm_backward",
            "batch_norm_pool_forward", "batch_norm_pool_backward", "dropout", "softmax", "log_softmax", "sgd", "adam", "average",
            "gradient_norm", "gather_normalize", "augment", "sampled_conv_block", "heads_forward",
            "heads_backward_data", "heads_backward_weights", "training_update"}
assert operations == expected, operations ^ expected
for row in document["rows"]:
    assert "error" not in row, row
    assert 0 < row["min_us"] <= row["median_us"] and row["samples"] >= 5, row
    assert row["gb_per_second"] > 0 and row["share_of_peak"] > 0, row
assert document["peaks"]["gflops_f32"] > 0 and document["peaks"]["copy_gb_per_second"] > 0
PYTHON

exits() {
  wanted=$1
  shift
  code=0
  "$program" "$@" >"$folder/output" 2>&1 || code=$?
  [ $code -eq "$wanted" ] || fail "$* ended with $code, not $wanted: $(cat "$folder/output")"
}
exits 2 --unknown
exits 2 --device tpu
exits 2 --batches 0
exits 2 --precisions f16 --device cpu
exits 0 --help
exits 0 --device cpu --benchmark_list_tests
