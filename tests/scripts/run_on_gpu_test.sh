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
  {"mode": "dann", "seed": 2, "completed": false, "source_test_accuracy": 0.4, "target_test_accuracy": 0.3, "steps": 5,
  "seconds": 1.0, "images_per_second": 100.0},
  {"mode": "source-only", "seed": 1, "completed": false, "error": {"code": 5, "message": "lost the GPU"}}]}'
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
# What runs with the folder in its command line. Not pgrep, which a machine may lack.
left_behind() {
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case $line in *"$folder"*) echo "${process#/proc/}: $line" ;; esac
  done
}
sh -c 'while :; do sleep 0.1; done' "$folder" &
[ -n "$(left_behind)" ] || fail 'a process that was left behind would not be seen'
kill $!
wait $! 2>/dev/null || :

# Everything, in order; a part's failure does not stop the others.
good
run 1 --seconds 60 "$folder/out"
[ "$(find "$folder/out" -type f | wc -l)" -eq 7 ] || fail "not seven files: $(ls "$folder/out")"
summary '" ".join(p["part"] for p in s["parts"])' 'build tests steps peer paper profile kernels sanitizers'
summary '",".join(p["result"] for p in s["parts"])' 'done,failed,done,not run,done,done,done,done'
summary 's["parts"][3]["why"]' 'python3 has no PyTorch that sees a GPU'
summary 's["machine"]["gpu"], s["machine"]["driver"], s["parts"][1]["sm_mhz"]' "('Fake GPU', '1.2.3', 1980.0)"
summary 'len(s["steps"]), len(s["profiles"]), s["kernel_rows"]' '(15, 3, 6)'
grep -q '| gradflip infer | 128 | f32 | 5 |' "$folder/out/table.md" || fail 'the table lacks the throughput'
grep -q '| conv_block conv1 | 1.50 |' "$folder/out/table.md" || fail 'the table lacks the launches'
grep -q '| source-only, seed 1 | lost the GPU |' "$folder/out/table.md" || fail 'the table lacks the run that failed'
# A run that was cut has no accuracy, though its program gives that of the last whole epoch.
summary 's["paper"]' "{'dann': {'1': 0.8}}"
grep -q '| dann, seed 1 | 90.00 % | 80.00 % | 9 |' "$folder/out/table.md" || fail 'the table lacks the finished run'
grep -q '| dann, seed 2 | ended after 5 steps |  |' "$folder/out/table.md" || fail 'the table has a run that was cut'
grep -q -- '-DCMAKE_CUDA_ARCHITECTURES=90a-real' "$folder/out/parts.log" || fail 'not built for this GPU'
grep -q 'ninja .* kernels_test .*cublas_cross_check_test$' "$folder/out/parts.log" ||
  fail 'a target that ninja does not know was asked for, or one that it knows was not'

run 0 --build-only --architecture default --pack none "$folder/out"
grep -q '^cmake .* -UCMAKE_CUDA_ARCHITECTURES' "$folder/build/run/build/log" || fail 'not built for the project'"'"'s own'
! grep -q -e -DCMAKE_CUDA_ARCHITECTURES "$folder/build/run/build/log" || fail 'built for one architecture'

# A test that dies does not hide those behind it; those that fail alone, too, are what the sanitizers look at.
summary 's["tests"]["kernels_test"]["passed"], s["tests"]["kernels_test"]["not_passed"]' "(3, ['Bad.always'])"
summary 'sorted(s["tests"]["kernels_test"]["passed_only_alone"])' "['Good/cuda.two', 'Last.one']"
grep -q 'checks .*memcheck.*--gtest_filter=Bad.always:$' "$folder/out/tests.log" || fail 'sanitizers ran other tests'

# Some parts only: the others' results stay, and the clocks at which they ran.
sed 's/1980/1200/' "$folder/tools/nvidia-smi" >"$folder/slower"
mv "$folder/tools/nvidia-smi" "$folder/faster"
stand_in tools/nvidia-smi <"$folder/slower"
run 0 --parts peer,paper "$folder/out"
summary 'len(s["steps"]), r("steps"), r("paper")' "(15, 'done', 'done')"
summary 's["parts"][1]["sm_mhz"]' 1980.0
mv "$folder/faster" "$folder/tools/nvidia-smi"

# Where all tests pass and tools are missing, nothing has failed: no target here is cuDNN's test.
mkdir "$folder/other_tools"
mv "$folder/tools/ncu" "$folder/tools/compute-sanitizer" "$folder/other_tools"
stand_in all_pass <<'PROGRAM'
#!/bin/sh
case $* in *--gtest_list_tests*) printf 'Good/cuda.\n  one\n' && exit ;; esac
[ -f "$GRADFLIP_TEST_DATA/torch_dann_trace.json" ] || exit 1
[ "$GTEST_SHARD_INDEX" = 0 ] || exit 0
printf '[ RUN      ] Good/cuda.one\n[       OK ] Good/cuda.one (1 ms)\n'
PROGRAM
for name in kernels runtime models allocation cublas_cross_check; do
  cp "$folder/all_pass" "$folder/build/bin/${name}_test"
done
CUDA_HOME=$folder/nowhere run 0 --parts tests,profile,sanitizers "$folder/out"
summary '[(p["result"], p["why"]) for p in s["parts"] if p["part"] in ("tests", "profile", "sanitizers")]' \
  "[('done', ''), ('done', 'no counters: ncu is not installed'), ('not run', 'compute-sanitizer is not installed')]"
rm "$folder/build/bin/models_test"
run 1 --parts tests "$folder/out"
summary 'r("tests")' failed
[ -z "$(find "$folder/build/run/tests" -name 'alone-*')" ] || fail 'something was run again'
mv "$folder"/other_tools/* "$folder/tools"

# A sanitizer under which nothing passed has not succeeded; one that had to be killed at its limit may have.
cp "$folder/tools/compute-sanitizer" "$folder/good_sanitizer"
stand_in tools/compute-sanitizer <<'PROGRAM'
#!/bin/sh
echo "checks $*"
echo '[  SKIPPED ] Some.test (0 ms)'
PROGRAM
run 1 --parts sanitizers "$folder/out"
summary 'r("sanitizers")' failed
grep -q 'checks .*memcheck.*--gtest_filter=\*cuda\*$' "$folder/out/tests.log" || fail 'not all kernels are checked'
# racecheck takes a few, by names that there are.
races=$(sed -n 's/checks .*racecheck.*--gtest_filter=//p' "$folder/out/tests.log" | tr ':' ' ')
[ "$(echo "$races" | wc -w)" -ge 5 ] || fail "racecheck checks too little: $races"
for race in $races; do
  grep -qE "TYPED_TEST\\(${race%%/*}, ${race#*.}\\)" tests/kernels/*.cpp || fail "there is no test $race"
done
stand_in tools/compute-sanitizer <<'PROGRAM'
#!/bin/sh
[ -n "$GRADFLIP_REQUIRE_CUDA" ] && [ -n "$GRADFLIP_TEST_DATA" ] || exit 1
echo '[       OK ] Some.test (1 ms)'
trap '' TERM
case $* in *racecheck*) while :; do sleep 0.1; done ;; esac
PROGRAM
run 0 --parts sanitizers --seconds 12 "$folder/out"
summary 'r("sanitizers")' 'done'
grep -q 'racecheck-kernels_test-0: exit 137, 1 tests passed before the time limit' "$folder/out/parts.log" ||
  fail 'the log does not tell what was killed'
cp "$folder/good_sanitizer" "$folder/tools/compute-sanitizer"

# Ended while tests run again, `tests` leaves to the sanitizers all that did not pass.
stand_in build/bin/kernels_test <<PROGRAM
#!/bin/sh
case \$* in *--gtest_filter*) exec sh -c 'while :; do sleep 0.1; done' "$folder" ;; esac
exec "$folder/good_kernels_test" "\$@"
PROGRAM
run 1 --parts tests --seconds 6 "$folder/out"
summary 'r("tests")' cut
[ "$(sort "$folder/build/run/tests/failed")" = "$(printf 'kernels_test %s\n' Bad.always Good/cuda.two Last.one)" ] ||
  fail "what failed is lost: $(cat "$folder/build/run/tests/failed")"

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

# So is what runs beside the parts: PyTorch's check before anything is timed, the clocks' reader before the end, though
# neither listens to SIGTERM.
cp "$folder/tools/nvidia-smi" "$folder/good_nvidia-smi"
stubborn="trap '' TERM; while :; do sleep 0.1; done"
stand_in tools/nvidia-smi <<PROGRAM
#!/bin/sh
case \$* in *compute_cap*) exec "$folder/good_nvidia-smi" "\$@" ;; esac
exec sh -c "$stubborn" "$folder/clocks"
PROGRAM
cp "$folder/tools/python3" "$folder/good_python3"
stand_in tools/python3 <<PROGRAM
#!/bin/sh
case \$* in
  -c*import\ torch*) exit 0 ;;
  *torch_dann.py*--verify*)
    # In the background only, until it is to hang anywhere.
    [ -z "\${GPU_LIMIT:-}" ] || [ -e "$folder/hang" ] || exit 1
    exec sh -c "$stubborn" "$folder/torch"
    ;;
esac
exec "$python3" "\$@"
PROGRAM
cp "$folder/tools/ninja" "$folder/good_ninja"
stand_in tools/ninja <<PROGRAM
#!/bin/sh
case \$* in *-t*) exit 0 ;; esac
tries=0
until grep -qs "$folder/torch" /proc/[0-9]*/cmdline || [ \$tries -gt 50 ]; do tries=\$((tries + 1)) && sleep 0.1; done
PROGRAM
stand_in build/bin/step_bench <<PROGRAM
#!/bin/sh
! grep -qs "$folder/torch" /proc/[0-9]*/cmdline || { echo 'is not alone' >&2 && exit 1; }
exec "$folder/good_step_bench"
PROGRAM
cp "$folder/good_kernels_test" "$folder/build/bin/kernels_test"
run 0 --parts steps "$folder/out"
[ -z "$(left_behind)" ] || fail "still running: $(left_behind)"
run 1 --parts build,steps,peer "$folder/out"
summary 'r("build"), r("steps"), r("peer")' "('done', 'done', 'failed')"
[ -z "$(left_behind)" ] || fail "still running: $(left_behind)"

# The whole call ended by a signal: it is there until all of it is gone.
: >"$folder/hang"
benchmarks/run_on_gpu.sh --build "$folder/build" --parts build,peer "$folder/out" >"$folder/output" 2>&1 &
script=$!
until grep -qs '"peer", "result": "running"' "$folder/build/run/peer/state.json"; do sleep 0.1; done
kill $script
code=0
wait $script || code=$?
[ $code -eq 143 ] || fail "ended with $code"
summary 'r("build"), r("peer")' "('done', 'cut')"
[ -z "$(left_behind)" ] || fail "still running: $(left_behind)"
for tool in nvidia-smi python3 ninja; do cp "$folder/good_$tool" "$folder/tools/$tool"; done

# One that dies, one that writes nothing, and one whose output is no table of ours.
good
stand_in build/bin/dann_mnist <<'PROGRAM'
#!/bin/sh
kill -9 $PPID $$
PROGRAM
stand_in build/bin/step_bench <<'PROGRAM'
#!/bin/sh
exit 0
PROGRAM
stand_in build/bin/kernel_bench <<'PROGRAM'
#!/bin/sh
for option; do file=$option; done
echo '{"peaks": {}, "rows": [{"op": 3}]}' >"$file"
PROGRAM
run 1 --parts steps,paper,profile,kernels,sanitizers "$folder/out"
summary '" ".join(r(p) for p in ["steps", "paper", "profile", "kernels", "sanitizers"])' 'failed failed failed done done'
grep -q 'wrote nothing: .*step_bench' "$folder/out/parts.log" || fail 'nothing says that nothing was written'
grep -q 'kernel_lines: what the program wrote cannot be read' "$folder/out/table.md" || fail 'the table is silent'
for program in step_bench dann_mnist kernel_bench; do
  stand_in "build/bin/$program" <<'PROGRAM'
#!/bin/sh
for option; do file=$option; done
case $0 in
  *kernel_bench) echo '{"peaks": {"gflops_f32": null, "gb_per_second": 7}, "rows": [1, {"op": 3}]}' >"$file" ;;
  *) echo '[1]' ;;
esac
PROGRAM
done
run 0 --parts steps,paper,profile,kernels "$folder/out"
summary 'len(s["steps"]), len(s["profiles"]), s["paper"], r("kernels")' "(0, 0, None, 'done')"
grep -q '"gb_per_second": 7' "$folder/out/kernels.json" || fail 'the peak that was measured is missing'

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
