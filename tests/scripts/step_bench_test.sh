#!/bin/sh
# step_bench runs every mode and prints one JSON document that hangs together; and its exit codes.
# usage: step_bench_test.sh PROGRAM
set -eu

program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "step_bench_test: $*" >&2
  exit 1
}

exits() {
  wanted=$1
  shift
  code=0
  "$program" "$@" >"$folder/output" 2>"$folder/errors" || code=$?
  [ $code -eq "$wanted" ] || fail "$* ended with $code, not $wanted: $(cat "$folder/errors")"
}

# field EXPRESSION: of the document d in the last output.
field() {
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($1)" "$folder/output"
}

small='--batch 16 --threads 2 --seconds 0.1 --device cpu'
code=0
# shellcheck disable=SC2086  # a list of words
"$program" $small >"$folder/output" 2>"$folder/errors" || code=$?
if grep -q 'timings mean nothing' "$folder/errors"; then
  # As it should in a build of this kind.
  [ $code -eq 2 ] || fail "a build without optimisation ended with $code"
  exit 0
fi
[ $code -eq 0 ] || fail "ended with $code: $(cat "$folder/errors")"

for mode in dann source-only infer; do
  # shellcheck disable=SC2086
  exits 0 $small --mode $mode --json
  [ "$(field 'd["mode"], d["batch"], d["threads"], d["precision"]')" = "$mode 16 2 f32" ] ||
    fail "$mode: $(cat "$folder/output")"
  [ "$(field 'd["images_per_second_min"] <= d["images_per_second"] <= d["images_per_second_max"]')" = True ] ||
    fail "$mode: the median is not between the extremes"
  [ "$(field 'abs(d["step_us"] * d["images_per_second"] / 16e6 - 1) < 1e-9')" = True ] ||
    fail "$mode: step time and rate do not agree"
done
# shellcheck disable=SC2086
exits 0 $small --mode both --json
[ "$(field '[row["mode"] for row in d["rows"]], d["dann_over_source_only"] > 0')" = "['dann', 'source-only'] True" ] ||
  fail "both: $(cat "$folder/output")"
# The FLOP that a DANN step of this network has, per image: 21.00 million.
[ "$(field 'round(d["rows"][0]["gflops"] / d["rows"][0]["images_per_second"] * 1e5)')" = 2100 ] || fail 'FLOP per image'

# shellcheck disable=SC2086
exits 0 $small --mode dann --profile --json
[ "$(field 'round(sum(row["share"] for row in d["profiles"]["dann"]["rows"]), 9)')" = 1.0 ] ||
  fail "the shares of a profile do not sum to 1: $(cat "$folder/output")"
# Behind a max pool a quarter of the gradients are other than zero.
[ "$(field 'round(sum(row["gflops"] * row["us"] for row in d["profiles"]["dann"]["rows"]) / 16e3, 2)')" = 11.55 ] ||
  fail "the FLOP of a profile, per image, in millions: $(field 'sum(row["gflops"] * row["us"] for row in d["profiles"]["dann"]["rows"]) / 16e3')"

# The paper's step keeps within every limit of the nine launches (docs/architecture.md).
exits 0 --cost h200
grep -q '^not fused: nothing$' "$folder/output" || fail "not fused: $(cat "$folder/output")"
exits 0 --cost h200 --json
[ "$(field 'd["launches"], d["not_fused"]')" = '9 []' ] || fail "--cost --json: $(cat "$folder/output")"

# Any recipe: two views of 8 + 8 augmented pictures are 32 images through a network with batch norm, dropout and Adam.
recipe='--mode dann-two-views --network digits-m --augment strong --batch-norm per-domain --optimizer adam'
# shellcheck disable=SC2086
exits 0 $small $recipe --learning-rate 0.001 --profile --json
[ "$(field 'd["batch"], d["recipe"]["network"], d["recipe"]["augment"]')" = "16 digits-m strong" ] ||
  fail "the recipe: $(cat "$folder/output")"
[ "$(field 'abs(d["step_us"] * d["images_per_second"] / 32e6 - 1) < 1e-9')" = True ] || fail 'not two views'
[ "$(field 'd["profiles"]["dann-two-views"]["operations"]["augment"]["share"] < 0.1')" = True ] ||
  fail "augmentation takes a tenth of a step: $(cat "$folder/output")"
# shellcheck disable=SC2086
exits 0 --cost h100 $recipe --json
[ "$(field 'd["launches"] == len(d["kernels"]) > 9')" = True ] || fail "--cost of two views: $(cat "$folder/output")"

# Of any method: two updates here.
exits 0 --cost h200 --mode adda --json
[ "$(field '[row["kernel"] for row in d["kernels"]].count("adam")')" = 2 ] || fail "--cost of ADDA: $(cat "$folder/output")"

exits 2 --mode nothing
exits 2 --mode nothing --cost h200
exits 2 --batch 1
exits 2 --precision f16
exits 2 --device tpu
exits 2 --unknown
exits 2 --simd mmx
exits 2 --cost h300
exits 2 --network nothing
exits 2 --augment nothing
exits 2 --mode infer --cost h200
