#!/bin/sh
# run_on_gpu.sh's options and exit codes, and that one part's failure does not stop the others; with fakes for the GPU,
# the build and the programs.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "run_on_gpu_test: $*" >&2
  [ ! -f "$folder/output" ] || cat "$folder/output" >&2
  exit 1
}

exits() {
  wanted=$1
  shift
  code=0
  "$@" >"$folder/output" 2>&1 || code=$?
  [ $code -eq "$wanted" ] || fail "$* ended with $code, not $wanted"
}

mkdir "$folder/tools"
fake() {
  cat >"$folder/tools/$1"
  chmod +x "$folder/tools/$1"
}
fake nvidia-smi <<'PROGRAM'
#!/bin/sh
exit 9
PROGRAM
PATH=$folder/tools:$PATH
export PATH
unset OUT

exits 0 benchmarks/run_on_gpu.sh --help
exits 2 benchmarks/run_on_gpu.sh --unknown
exits 2 benchmarks/run_on_gpu.sh --seconds soon
exits 2 benchmarks/run_on_gpu.sh --pack "$folder"
exits 2 benchmarks/run_on_gpu.sh --build
exits 5 benchmarks/run_on_gpu.sh --build "$folder/build" "$folder/out"

fake nvidia-smi <<'PROGRAM'
#!/bin/sh
case $* in
  *compute_cap*) echo 9.0 ;;
  *) echo 'Fake GPU' ;;
esac
PROGRAM
fake cmake <<'PROGRAM'
#!/bin/sh
echo "cmake $*"
PROGRAM
fake ninja <<'PROGRAM'
#!/bin/sh
echo "ninja $*"
PROGRAM
mkdir -p "$folder/build/bin"
program() {
  cat >"$folder/build/bin/$1"
  chmod +x "$folder/build/bin/$1"
}
program dann_mnist <<'PROGRAM'
#!/bin/sh
exit 3
PROGRAM
program step_bench <<'PROGRAM'
#!/bin/sh
echo '{"batch": 128, "precision": "f32", "mode": "infer", "images_per_second": 5.0, "step_us": 2.0}'
PROGRAM
program kernels_test <<'PROGRAM'
#!/bin/sh
[ -n "$GRADFLIP_REQUIRE_CUDA" ] || exit 1
for option; do
  case $option in
    --gtest_output=json:*)
      echo '{"tests": 2, "failures": 1, "errors": 0, "disabled": 0, "testsuites": [{"testsuite":
        [{"result": "COMPLETED"}, {"result": "COMPLETED"}]}]}' >"${option#--gtest_output=json:}" ;;
  esac
done
exit 1
PROGRAM
exits 1 benchmarks/run_on_gpu.sh --build "$folder/build" --seconds 60 "$folder/out"
[ "$(find "$folder/out" -type f | wc -l)" -le 8 ] || fail 'more than eight files'

# summary EXPRESSION WANTED: of the summary s.
summary() {
  got=$(python3 -c "import json, sys; s = json.load(open(sys.argv[1])); print($1)" "$folder/out/summary.json")
  [ "$got" = "$2" ] || fail "$1 is $got, not $2"
}
summary 's["machine"]["gpu"]' 'Fake GPU'
summary '" ".join(p["part"] for p in s["parts"])' 'build tests paper steps kernels sanitizers peer'
summary '" ".join(p["result"] for p in s["parts"][:4])' 'ok exit 1 exit 3 ok'
summary 's["tests"]["kernels_test"]["failed"]' 1
summary 'len(s["steps"])' 15
grep -q '| gradflip infer | 128 | f32 | 5 |' "$folder/out/table.md" || fail 'the table lacks the throughput'
grep -q -- '-DCMAKE_CUDA_ARCHITECTURES=90a-real' "$folder/out/build.log" || fail 'not built for this GPU'

# A part that takes too long is stopped, and the rest is told from what there is.
program step_bench <<'PROGRAM'
#!/bin/sh
sleep 60
PROGRAM
exits 1 benchmarks/run_on_gpu.sh --build "$folder/build" --seconds 4 "$folder/out"
summary 's["parts"][3]["result"]' 'time limit'
summary 's["parts"][-1]["result"]' skipped
