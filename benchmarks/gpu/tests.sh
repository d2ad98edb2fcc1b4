# shellcheck shell=sh disable=SC2154
# Sourced by part.sh: the parts `tests` and `sanitizers`. One kernel that reads or writes out of bounds makes every later
# launch of its process fail. So each program is cut into processes, and what did not pass there is run again by itself.

test_programs='kernels_test:8 models_test:4 runtime_test:2 allocation_test:1'
# Only where the libraries are.
cross_checks='cublas_cross_check_test:1 cudnn_cross_check_test:1'
most_again=40

# All at once: the double references on the CPU take most of the time.
tests() {
  export GRADFLIP_REQUIRE_CUDA=1
  [ -z "$pack" ] || [ ! -d "$pack/data" ] || export GRADFLIP_DATA="$pack/data"
  status=0
  waiting=
  for one in $test_programs $cross_checks; do
    program=${one%:*} shards=${one#*:}
    if [ ! -x "$bin/$program" ]; then
      echo "$program was not built"
      case " $cross_checks " in *" $one "*) ;; *) status=1 ;; esac
      continue
    fi
    timeout --kill-after=3 10 "$bin/$program" --gtest_list_tests >"$work/tests/$program.list" || status=1
    shard=0
    while [ $shard -lt "$shards" ]; do
      GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard timeout --kill-after=3 $((limit * 2 / 3 + 1)) \
        "$bin/$program" >"$work/tests/$program-$shard.out" 2>&1 &
      waiting="$waiting $!:$program-$shard"
      shard=$((shard + 1))
    done
  done
  for one in $waiting; do
    code=0
    wait "${one%%:*}" || code=$?
    [ $code -eq 0 ] || { echo "${one#*:}: exit $code" && status=1; }
  done
  run_again
  return $status
}

# Writes $work/tests/failed: program and test, a line each, of those that did not pass by themselves either.
run_again() {
  command -v python3 >/dev/null || { echo 'no python3: nothing is run again' && return; }
  python3 -B benchmarks/gpu/test_results.py "$work/tests" open >"$work/tests/open"
  # The sanitizers' work, should the time be over before these end.
  cp "$work/tests/open" "$work/tests/failed"
  head -n $most_again "$work/tests/open" >"$work/tests/again"
  export bin work
  # shellcheck disable=SC2016  # of the inner shell
  xargs -r -P 8 -n 2 sh -c 'timeout --kill-after=3 20 "$bin/$0" "--gtest_filter=$1" \
    >"$work/tests/alone-$0-$(echo "$1" | tr / _).out" 2>&1 || :' <"$work/tests/again"
  python3 -B benchmarks/gpu/test_results.py "$work/tests" open >"$work/tests/failed.part" &&
    mv "$work/tests/failed.part" "$work/tests/failed"
  echo "$(wc -l <"$work/tests/open") did not pass in company, $(wc -l <"$work/tests/again") were run again alone," \
    "$(wc -l <"$work/tests/failed") did not pass"
}

# Program, processes and filter, a line each: what is left of the tests that failed, else all that runs kernels.
sanitized() {
  if [ -s "$work/tests/failed" ]; then
    sort "$work/tests/failed" | awk '$1 != program { program = $1; count = 0; printf "%s%s 1 ", (NR > 1 ? "\n" : ""), $1 }
      ++count <= 12 { printf "%s:", $2 } END { print "" }'
  else
    echo 'kernels_test 5 *cuda*'
  fi
}

# The checkers slow a kernel down by orders of magnitude, and are gone where a machine does not let them at its GPU.
sanitizers() {
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  [ -x "$sanitizer" ] || { echo 'compute-sanitizer is not installed' && return 77; }
  sanitized >"$work/sanitizers/what"
  # Without a GPU that it may use, every test would be skipped, and nothing found.
  export GRADFLIP_REQUIRE_CUDA=1
  waiting=
  while read -r program shards filter; do
    for tool in memcheck racecheck initcheck; do
      shard=0
      while [ $shard -lt "$shards" ]; do
        GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard \
          timeout --kill-after=3 $((limit > 16 ? limit - 8 : limit / 2)) "$sanitizer" --tool $tool --error-exitcode 9 \
          "$bin/$program" "--gtest_filter=$filter" >"$work/sanitizers/$tool-$program-$shard.out" 2>&1 &
        waiting="$waiting $!:$tool-$program-$shard"
        shard=$((shard + 1))
      done
    done
  done <"$work/sanitizers/what"
  status=0
  for one in $waiting; do
    code=0
    wait "${one%%:*}" || code=$?
    passed=$(grep -c '^\[       OK' "$work/sanitizers/${one#*:}.out")
    case $code in
      124 | 137) how=' before the time limit' code=0 ;;
      *) how= ;;
    esac
    echo "${one#*:}: exit $code, $passed tests passed$how"
    # Running out of time is no finding, unless nothing was found out.
    [ "$code" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
  done
  return $status
}
