#!/bin/sh
# Installs what is missing, builds, and runs every check and test that this machine can run.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh

usage() {
  cat <<TEXT
usage: ./test.sh [--no-install] [--cpu] [--lint]

Installs missing Debian/Ubuntu packages, then runs every test three times: optimised, under
AddressSanitizer and UndefinedBehaviorSanitizer, and (those that use threads) under ThreadSanitizer.
The CUDA kernels run on an emulated GPU (docs/emulator.md), so neither a GPU nor a CUDA toolkit is needed.

  --no-install   install nothing
  --cpu          build without the CUDA backend, whether there is a CUDA toolkit or not
  --lint         also run clang-format and clang-tidy; CI=true in the environment does so, too
  --help         show this text

GRADFLIP_DATA names a folder with real data sets; tests that need them are skipped without it,
and fail with CI=true.
TEXT
}

install=1
cuda=AUTO
lint=0
[ "${CI:-}" != true ] || lint=1
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --cpu) cuda=OFF ;;
    --lint) lint=1 ;;
    --help | -h) usage && exit ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

if [ -z "${GRADFLIP_DATA:-}" ] && [ "${CI:-}" = true ] && [ -d ../shared/data ]; then
  GRADFLIP_DATA=$(cd ../shared/data && pwd)
  export GRADFLIP_DATA
fi

packages="$GRADFLIP_BUILD_PACKAGES $GRADFLIP_TEST_PACKAGES $GRADFLIP_SCRIPT_TEST_PACKAGES"
[ "$lint" -eq 0 ] || packages="$packages $GRADFLIP_CHECK_PACKAGES"
# shellcheck disable=SC2086  # a list of words
[ "$install" -eq 0 ] || install_packages $packages

passed=0
failed=0
skipped=0
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT

# cpu_seconds: those of all processes that have ended. In the shell itself: a subshell would tell of its own.
cpu_seconds() {
  times >"$notes/times"
  cpu=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int(60 * $1 + $2 + 60 * $3 + $4) }' "$notes/times")
}

# stage NAME COMMAND...: runs the command, notes how long it took; a failure counts and the next stage follows.
stage() {
  name=$1
  shift
  say ''
  say "== $name"
  begin=$(date +%s)
  cpu_seconds
  cpu_begin=$cpu
  result=0
  "$@" >&2 || result=$?
  cpu_seconds
  printf '%6d %8d  %s\n' $(($(date +%s) - begin)) $((cpu - cpu_begin)) "$name" >>"$notes/stages"
  return $result
}

# slowest: the ten tests that took longest, of all presets.
slowest() {
  for preset in release asan tsan; do
    [ ! -f "build/$preset/tests.xml" ] || tr '\n' ' ' <"build/$preset/tests.xml" | sed 's/<testcase /\n&/g' |
      sed -n "s/^<testcase name=\"\([^\"]*\)\".* time=\"\([0-9.]*\)\".*/\2 $preset \1/p"
  done | sort -rn | head -n 10 | awk '{ printf "%8.1f s  %-8s ", $1, $2; $1 = $2 = ""; print substr($0, 3) }'
}

# check NAME COMMAND...: a stage that is one test.
check() {
  if stage "$@"; then
    passed=$((passed + 1))
  else
    say "FAILED: $1"
    failed=$((failed + 1))
  fi
}

# attribute NAME FILE: of the one <testsuite> that ctest writes.
attribute() {
  tr '\n' ' ' <"$2" | sed -n "s/.*<testsuite [^>]*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p"
}

# tests PRESET JOBS CTEST-OPTION...: runs the tests and adds their numbers up.
tests() {
  preset=$1
  jobs=$2
  shift 2
  report=$PWD/build/$preset/tests.xml
  rm -f "$report"
  result=0
  # shellcheck disable=SC2086  # nothing or several words
  stage "tests: $preset" run $launcher ctest --preset "$preset" --parallel "$jobs" \
    --output-junit "$report" "$@" || result=$?
  if [ -s "$report" ]; then
    total=$(attribute tests "$report")
    bad=$(attribute failures "$report")
    left_out=$(($(attribute skipped "$report") + $(attribute disabled "$report")))
    passed=$((passed + total - bad - left_out))
    failed=$((failed + bad))
    skipped=$((skipped + left_out))
    [ "$result" -eq 0 ] || [ "$bad" -gt 0 ] || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
}

# configure_and_build PRESET CUDA MIB_PER_JOB TARGET...: the build also starts test programs, to list their tests.
configure_and_build() {
  preset=$1
  with_cuda=$2
  mib_per_job=$3
  shift 3
  # The project's own architectures, though demo.sh may have built for this machine's GPU: each is checked.
  configure "$preset" -UCMAKE_CUDA_ARCHITECTURES -DGRADFLIP_CUDA="$with_cuda" -DGRADFLIP_TESTS=ON \
    -DGRADFLIP_COMPILE_TOGETHER=ON \
    -DCMAKE_CUDA_COMPILER_LAUNCHER="$PWD/scripts/keep_cuda_reports.sh" || return 1
  # shellcheck disable=SC2086  # nothing or several words
  run $launcher cmake --build --preset "$preset" --parallel "$(build_jobs "$mib_per_job")" "$@"
}

launcher=
check 'layers' scripts/check_layers.sh
[ "$lint" -eq 0 ] || check 'clang-format' scripts/check_format.sh

check 'build: release' configure_and_build release $cuda $GRADFLIP_MIB_PER_JOB
# Not the tests: GoogleTest's headers make them two thirds of the time, and they run under sanitizers anyway.
[ "$lint" -eq 0 ] || check 'clang-tidy' scripts/check_tidy.sh build/release '^(kernels|runtime|models|apps)/'
if grep -q '^GRADFLIP_BUILT_WITH_CUDA:.*=1$' build/release/CMakeCache.txt; then
  check 'CUDA code' scripts/check_cuda_code.py --build build/release
  check 'what a GPU would run' benchmarks/run_on_gpu.sh --build-only --architecture default --pack none \
    --build build/release build/release/gpu-run
fi
# One more than there are processors: some of these tests wait for time limits.
tests release $(($(nproc) + 1))

# Sanitizers see the CUDA kernels on the emulated GPU; what nvcc makes of them they cannot look into.
check 'build: asan' configure_and_build asan OFF $((2 * GRADFLIP_MIB_PER_JOB))
tests asan "$(nproc)"

# ThreadSanitizer of older compilers cannot live with as many random address bits as newer kernels use.
if setarch "$(uname -m)" -R true 2>/dev/null; then
  launcher="setarch $(uname -m) -R"
fi
check 'build: tsan' configure_and_build tsan OFF $((2 * GRADFLIP_MIB_PER_JOB)) \
  --target runtime_test --target models_test
# Not how well it learns: that takes as many steps of the same threads as all other tests together.
tests tsan "$(nproc)" --tests-regex '^(Workers|ShardSums|Executor|TrainerTest|EpochReport|AtomicFile)' \
  --exclude-regex LearnsWhatTheSourceShows

say ''
say 'Slowest tests:'
slowest >&2
say ''
say '     s    CPU s  stage'
cat "$notes/stages" >&2
say "$(awk '{ s += $1; cpu += $2 } END { printf "%6d %8d  all", s, cpu }' "$notes/stages")"
summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
