#!/bin/sh
# run_on_gpu.sh with stand-ins for the GPU, the build and the programs: its options and exit codes, and that OUT holds
# what was done, whatever a part does and whenever the end comes.
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

mkdir -p "$folder/tools" "$folder/build/bin" "$folder/data"
# stand_in PATH: from stdin.
stand_in() {
  cat >"$folder/$1"
  chmod +x "$folder/$1"
}
stand_in tools/nvidia-smi <<'PROGRAM'
#!/bin/sh
exit 9
PROGRAM
PATH=$folder/tools:$PATH
GRADFLIP_DATA=$folder/data
# Nothing takes long here: patience between signals, and the report of a part that still runs, in seconds.
LIMITED_GRACE=0
GPU_REFRESH=1
export PATH GRADFLIP_DATA LIMITED_GRACE GPU_REFRESH
unset OUT

run() {
  wanted=$1
  shift
  exits "$wanted" benchmarks/run_on_gpu.sh --build "$folder/build" "$@"
}

exits 0 benchmarks/run_on_gpu.sh --help
for options in --unknown '--seconds soon' '--seconds 0' '--seconds 010' --build '--parts nothing' '--parts build,' \
  '--parts ,build' "--pack $folder"; do
  # shellcheck disable=SC2086  # words
  exits 2 benchmarks/run_on_gpu.sh $options
done
for option in --pack --build --seconds --parts --architecture; do exits 2 benchmarks/run_on_gpu.sh $option ''; done
run 5 "$folder/out"

stand_in tools/nvidia-smi <<'PROGRAM'
#!/bin/sh
case $* in
  *compute_cap*) echo 'Fake GPU, 1.2.3, 9.0' ;;
  *) while :; do date '+%Y/%m/%d %H:%M:%S.000, 1980, 2600, 300.00, 40' && sleep 0.2; done ;;
esac
PROGRAM
stand_in tools/cmake <<'PROGRAM'
#!/bin/sh
echo "cmake $*"
PROGRAM
stand_in tools/ninja <<'PROGRAM'
#!/bin/sh
case $* in *'-t query cudnn'*) exit 1 ;; esac
echo "ninja $*"
PROGRAM
# No PyTorch, but everything else.
python3=$(command -v python3)
stand_in tools/python3 <<PROGRAM
#!/bin/sh
case \$* in -c*import\ torch*) exit 1 ;; esac
exec "$python3" "\$@"
PROGRAM
stand_in tools/ncu <<'PROGRAM'
#!/bin/sh
echo counters
PROGRAM
stand_in tools/compute-sanitizer <<'PROGRAM'
#!/bin/sh
echo "checks $*"
echo '[       OK ] Some.test (1 ms)'
PROGRAM
stand_in good_dann_mnist <<'PROGRAM'
#!/bin/sh
echo '{"precision": "tf32", "runs": [{"mode": "dann", "seed": 1, "completed": true, "source_test_accuracy": 0.9,
  "target_test_accuracy": 0.8, "steps": 9, "seconds": 1.5, "images_per_second": 100.0},
  {"mode": "source-only", "seed": 1, "completed": false, "error": {"code": 5, "message": "lost the GPU"}},
  {"mode": "dann", "seed": 2, "completed": false, "source_test_accuracy": 0.7, "target_test_accuracy": 0.4, "steps": 5,
  "seconds": 0.5, "images_per_second": 100.0}]}'
PROGRAM
stand_in good_step_bench <<'PROGRAM'
#!/bin/sh
echo '{"batch": 128, "precision": "f32", "mode": "infer", "images_per_second": 5.0, "step_us": 2.0, "profiles": {"dann":
  {"step_us": 2.0, "rows": [{"node": "conv_block conv1", "us": 1.5, "share": 0.75, "gflops": 9.0, "peak_share": 0.5}]}}}'
PROGRAM
stand_in good_kernel_bench <<'PROGRAM'
#!/bin/sh
for option; do file=$option; done
echo '{"peaks": {"gflops_f32": 9.0}, "rows": [{"op": "sgd", "shape": "all", "batch": 0, "math": "f32", "library":
  "gradflip", "median_us": 2.0, "gflops": 1.0, "gb_per_second": 1.0, "share_of_peak": 0.5, "bound": "memory"}]}' >"$file"
PROGRAM
# Four tests: Bad.kernel dies and takes what follows with it, Bad.always fails by itself, too.
stand_in good_kernels_test <<'PROGRAM'
#!/bin/sh
[ -n "${GRADFLIP_REQUIRE_CUDA:-}" ] || exit 1
case $* in
  *--gtest_list_tests*) printf 'Bad.\n  always\nGood/cuda.  # TypeParam = Cuda\n  one\n  two\nLast.\n  one\n' && exit ;;
  *--gtest_filter=Bad.always*) printf '[ RUN      ] Bad.always\n[  FAILED  ] Bad.always (1 ms)\n' && exit 1 ;;
  *--gtest_filter=*) name=${*#*--gtest_filter=} && printf '[ RUN      ] %s\n[       OK ] %s (1 ms)\n' "$name" "$name" && exit ;;
esac
[ "$GTEST_SHARD_INDEX" = 0 ] || exit 0
printf '[ RUN      ] Good/cuda.one\n[       OK ] Good/cuda.one (1 ms)\n'
printf '[ RUN      ] Bad.always\n[  FAILED  ] Bad.always, where TypeParam = Cuda (1 ms)\n[ RUN      ] Good/cuda.two\n'
kill -9 $$
PROGRAM
good() {
  for name in dann_mnist step_bench kernel_bench kernels_test; do
    cp "$folder/good_$name" "$folder/build/bin/$name"
  done
}

# summary EXPRESSION WANTED: of the summary s; r(part) is how a part ended.
summary() {
  got=$("$python3" -c "
import json, sys
s = json.load(open(sys.argv[1]))
r = lambda name: next(p['result'] for p in s['parts'] if p['part'] == name)
print(($1))" "$folder/out/summary.json") || fail "no summary"
  [ "$got" = "$2" ] || fail "$1 is $got, not $2"
}
# What runs and has the folder among its words; grep itself, which has, is gone by then.
left_behind() {
  # shellcheck disable=SC2013  # names without blanks
  for words in $(grep -lsF "$folder" /proc/[0-9]*/cmdline); do
    [ ! -e "$words" ] || { tr '\0' ' ' <"$words" && echo; }
  done
}

# Everything, in order; a part's failure does not stop the others.
good
run 1 --seconds 60 "$folder/out"
[ "$(find "$folder/out" -type f | wc -l)" -eq 7 ] || fail "not seven files: $(ls "$folder/out")"
summary '" ".join(p["part"] for p in s["parts"])' 'build tests steps peer paper profile kernels sanitizers'
summary '" ".join(p["result"] for p in s["parts"])' 'done failed done not run done done done done'
summary '[p["why"] for p in s["parts"] if p["part"] == "peer"]' "['python3 has no PyTorch that sees a GPU']"
summary 's["machine"]["gpu"], s["machine"]["driver"], s["parts"][1]["sm_mhz"]' "('Fake GPU', '1.2.3', 1980.0)"
summary 'len(s["steps"]), len(s["profiles"]), s["kernel_rows"]' '(15, 3, 4)'
grep -q '| gradflip infer | 128 | f32 | 5 |' "$folder/out/table.md" || fail 'the table lacks the throughput'
grep -q '| conv_block conv1 | 1.50 |' "$folder/out/table.md" || fail 'the table lacks the launches'
grep -q '| source-only, seed 1 | lost the GPU |' "$folder/out/table.md" || fail 'the table lacks the run that failed'
grep -q '| dann, seed 2 | ended after 5 steps |' "$folder/out/table.md" || fail 'a run that was cut passes for a whole one'
summary '[list(run.values()) for run in s["paper"]]' "[['dann', 1, 0.8]]"
grep -q -- '-DCMAKE_CUDA_ARCHITECTURES=90a-real' "$folder/out/parts.log" || fail 'not built for this GPU'
grep -q 'ninja .* kernels_test .*cublas_cross_check_test$' "$folder/out/parts.log" ||
  fail 'a target that ninja does not know was asked for, or one that it knows was not'

# A test that dies does not hide those behind it; those that fail alone, too, are what the sanitizers look at.
summary 's["tests"]["kernels_test"]["passed"], s["tests"]["kernels_test"]["not_passed"]' "(3, ['Bad.always'])"
summary 'sorted(s["tests"]["kernels_test"]["passed_only_alone"])' "['Good/cuda.two', 'Last.one']"
grep -q 'checks .*memcheck.*--gtest_filter=Bad.always:$' "$folder/out/tests.log" || fail 'sanitizers ran other tests'

# Some parts only: the others' results stay.
run 0 --parts peer,paper "$folder/out"
summary 'len(s["steps"]), r("steps"), r("paper")' "(15, 'done', 'done')"
summary '[p["sm_mhz"] for p in s["parts"] if p["part"] in ("steps", "paper")]' '[1980.0, 1980.0]'

# A part that hangs and does not listen to SIGTERM is ended with all that it started, in whatever process group.
good
stand_in build/bin/dann_mnist <<PROGRAM
#!/bin/sh
trap '' TERM
timeout 50 sh -c 'trap "" TERM; while :; do sleep 0.1; done' "$folder"
PROGRAM
run 1 --parts paper,kernels --seconds 9 "$folder/out"
summary 'r("paper"), r("kernels"), [p["why"] for p in s["parts"] if p["part"] == "paper"]' "('cut', 'done', ['time limit'])"
[ -z "$(left_behind)" ] || fail "still running: $(left_behind)"

# One that dies, one that writes nothing, and one whose output is no table of ours.
good
stand_in build/bin/dann_mnist <<'PROGRAM'
#!/bin/sh
kill -9 $PPID $$
PROGRAM
stand_in build/bin/step_bench <<'PROGRAM'
#!/bin/sh
case $* in *infer*) echo '[1]' ;; esac
PROGRAM
stand_in build/bin/kernel_bench <<'PROGRAM'
#!/bin/sh
for option; do file=$option; done
echo '{"peaks": {}, "rows": [{"op": 3}]}' >"$file"
PROGRAM
run 1 --parts steps,paper,profile,kernels,sanitizers "$folder/out"
summary '" ".join(r(p) for p in ["steps", "paper", "profile", "kernels", "sanitizers"])' 'failed failed failed done done'
summary 's["steps"]' '[]'
grep -q 'wrote nothing: .*step_bench' "$folder/out/parts.log" || fail 'nothing says that nothing was written'
grep -q 'kernel_lines: what the program wrote cannot be read' "$folder/out/table.md" || fail 'the table is silent'

# A checker that finds no GPU has found nothing.
stand_in tools/compute-sanitizer <<'PROGRAM'
#!/bin/sh
echo '[  SKIPPED ] Some.test (1 ms)'
PROGRAM
run 1 --parts sanitizers "$folder/out"
summary 'r("sanitizers")' failed

# Nothing was built: nothing else is tried.
rm "$folder"/build/bin/*
run 1 --parts build,steps "$folder/out"
summary 'r("build"), r("steps")' "('done', 'not run')"

# Killed at five moments: what was done by then is there, rows of the part that was under way too; nothing runs on.
good
stand_in build/bin/kernel_bench <<PROGRAM
#!/bin/sh
for option; do file=\$option; done
"$folder/good_kernel_bench" "\$file"
while :; do sleep 0.1; done
PROGRAM
stand_in build/bin/step_bench <<PROGRAM
#!/bin/sh
"$folder/good_step_bench"
case \$* in *profile*) ;; *'--batch 4096 --precision bf16'*) exec sh -c 'while :; do sleep 0.1; done' "$folder" ;; esac
PROGRAM
stand_in tools/ncu <<PROGRAM
#!/bin/sh
exec sh -c 'while :; do sleep 0.1; done' "$folder"
PROGRAM
# killed_when PARTS FILE WANTED...: what the summary says of the parts once FILE was there and the script was killed.
killed_when() {
  rm -rf "$folder/build/run"
  benchmarks/run_on_gpu.sh --build "$folder/build" --parts "$1" "$folder/out" >"$folder/output" 2>&1 &
  script=$!
  tries=0
  until grep -qs "$3" "$folder/build/run/$2" && grep -qs "$4" "$folder/out/summary.json"; do
    tries=$((tries + 1))
    [ $tries -le 200 ] || fail "$1 did not come so far"
    sleep 0.1
  done
  kill -9 $script
  wait $script 2>/dev/null || :
  summary "' '.join(r(p) for p in '$1'.split(','))" "$5"
  tries=0
  while [ -n "$(left_behind)" ]; do
    tries=$((tries + 1))
    [ $tries -le 50 ] || fail "still running: $(left_behind)"
    sleep 0.1
  done
}
killed_when build,tests tests/state.json failed '"result": "failed"' 'done failed'
killed_when build,steps steps/rows.jsonl infer '"mode": "infer"' 'done running'
[ "$("$python3" -c "import json; print(len(json.load(open('$folder/out/summary.json'))['steps']))")" -ge 1 ] ||
  fail 'the rows of the part under way are lost'
killed_when paper,profile profile/rows.jsonl infer conv_block 'done running'
killed_when paper,kernels kernels/rows-1.json sgd '"kernel_rows": 1' 'done running'
stand_in tools/compute-sanitizer <<PROGRAM
#!/bin/sh
exec sh -c 'while :; do sleep 0.1; done' "$folder"
PROGRAM
killed_when peer,paper,sanitizers sanitizers/state.json running '"running"' 'not run done running'
