# shellcheck shell=sh disable=SC2154
# Sourced by part.sh: the parts `tests` and `sanitizers`. One kernel that reads or writes out of bounds makes every later
# launch of its process fail. So each program is cut into processes, and what did not pass there is run again by itself.

test_programs='kernels_test:8 models_test:4 runtime_test:2 allocation_test:1 cublas_cross_check_test:1
  cudnn_cross_check_test:1'
most_again=40

# A test that is skipped fails; files are those of this tree, wherever the programs were built.
test_environment() {
  export GRADFLIP_REQUIRE_CUDA=1 GRADFLIP_TEST_DATA="$PWD/tests/data"
  [ -z "$pack" ] || [ ! -d "$pack/data" ] || export GRADFLIP_DATA="$pack/data"
}

# All at once: the double references on the CPU take most of the time.
tests() {
  test_environment
  status=0
  waiting=
  for one in $test_programs; do
    program=${one%:*} shards=${one#*:}
    if [ ! -x "$bin/$program" ]; then
      # No failure where it is no target either, as without cuDNN.
      echo "$program was not built"
      ! is_target "$program" || status=1
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
  [ -n "$waiting" ] || status=1
  run_again
  return $status
}

# Writes $work/tests/failed: program and test, a line each, of those that did not pass by themselves either.
run_again() {
  command -v python3 >/dev/null || { echo 'no python3: nothing is run again' && return; }
  python3 -B benchmarks/gpu/test_results.py "$work/tests" open >"$work/tests/open"
  # For the sanitizers, should this be ended before the last test was run again.
  cp "$work/tests/open" "$work/tests/failed"
  head -n $most_again "$work/tests/open" >"$work/tests/again"
  export bin work
  # shellcheck disable=SC2016  # of the inner shell
  xargs -r -P 8 -n 2 sh -c 'timeout --kill-after=3 20 "$bin/$0" "--gtest_filter=$1" \
    >"$work/tests/alone-$0-$(echo "$1" | tr / _).out" 2>&1 || :' <"$work/tests/again"
  python3 -B benchmarks/gpu/test_results.py "$work/tests" open >"$work/tests/failed.new"
  mv "$work/tests/failed.new" "$work/tests/failed"
  echo "$(wc -l <"$work/tests/open") did not pass in company, $(wc -l <"$work/tests/again") were run again alone," \
    "$(wc -l <"$work/tests/failed") did not pass"
}

# What is left of the tests that failed, by program; else all that runs kernels.
sanitized() {
  if [ -s "$work/tests/failed" ]; then
    sort "$work/tests/failed" | awk '$1 != program { program = $1; count = 0; printf "%s%s ", (NR > 1 ? "\n" : ""), $1 }
      ++count <= 12 { printf "%s:", $2 } END { print "" }'
  else
    echo 'kernels_test *cuda*'
  fi
}

# racecheck is by far the slowest: all kernel tests would take it longer than there is. Of every kernel of a training step
# one test whose launches are small.
races='HeadsTest/cuda.TheInputScaleIsInTheFeaturesGradientAlone HeadsTest/cuda.AnInfiniteGradientIsNoted
  SampledConvBlockTest/cuda.EqualsItsPartsBitForBit TrainingUpdateTest/cuda.EqualsItsPartsBitForBit
  ConvBlockResidentTest/cuda.ForwardOfAnImageDoesNotDependOnTheOthers
  ConvBlockResidentTest/cuda.DataGradientOfAnImageDoesNotDependOnTheOthers
  ConvBlockResidentTest/cuda.FilterGradientRepeatsBitForBit'

# The checkers slow a kernel down by orders of magnitude, and are gone where a machine does not let them at its GPU.
sanitizers() {
  sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
  [ -x "$sanitizer" ] || not_run sanitizers 'compute-sanitizer is not installed' || return
  test_environment
  sanitized >"$work/sanitizers/what"
  waiting=
  while read -r program filter; do
    for tool in memcheck racecheck initcheck; do
      selected=$filter
      shards=1
      # One process alone would not come to the end of all tests.
      [ $tool != memcheck ] || [ "$filter" != '*cuda*' ] || shards=8
      # shellcheck disable=SC2086  # a list of words
      [ $tool != racecheck ] || [ "$filter" != '*cuda*' ] || selected=$(printf '%s:' $races)
      shard=0
      while [ $shard -lt $shards ]; do
        GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard \
          timeout --kill-after=3 $((limit > 16 ? limit - 8 : limit / 2)) "$sanitizer" --tool $tool --error-exitcode 9 \
          "$bin/$program" "--gtest_filter=$selected" >"$work/sanitizers/$tool-$program-$shard.out" 2>&1 &
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
    # What did not listen to SIGTERM ended with 137.
    cut=
    case $code in 124 | 137) cut=' before the time limit' ;; esac
    echo "${one#*:}: exit $code, $passed tests passed$cut"
    # Running out of time is no finding, but where no test passed nothing was found out.
    [ "$passed" -gt 0 ] && { [ $code -eq 0 ] || [ -n "$cut" ]; } || status=1
  done
  return $status
}
