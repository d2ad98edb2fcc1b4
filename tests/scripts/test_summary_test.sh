#!/bin/sh
# test.sh with stand-ins for cmake and ctest: its last line adds up what ctest reports, and any failure of a stage
# makes it fail without keeping later stages from running.
set -eu

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/bin" "$tree/scripts"
cp test.sh "$tree/"
cp scripts/setup.sh "$tree/scripts/"

# stand_in FILE BODY: a program of the copied tree.
stand_in() {
  printf '#!/bin/sh\n%s\n' "$2" >"$tree/$1"
  chmod +x "$tree/$1"
}

# shellcheck disable=SC2016  # expanded by the stand-ins
{
  stand_in scripts/check_layers.sh 'exit "${LAYERS_EXIT:-0}"'
  stand_in bin/cmake 'echo "cmake $*"; case $* in *"--build --preset ${BROKEN_PRESET:-none} "*) exit 1 ;; esac'
  stand_in bin/ctest '
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$2 ;;
    --output-junit) file=$2 ;;
  esac
  shift
done
[ "$preset" != "${SILENT_PRESET:-none}" ] || exit 8
mkdir -p "$(dirname "$file")"
{
  printf "<testsuite name=\"x\"\n\ttests=\"10\"\n\tfailures=\"%s\"\n\tdisabled=\"0\"\n\tskipped=\"2\"\n>" "${FAILURES:-0}"
  for test in 1 2 3 4 5 6 7 8; do
    printf "\t<testcase name=\"Suite.$preset$test\" classname=\"c\" time=\"$test.5\" status=\"run\">\n\t</testcase>\n"
  done
  printf "</testsuite>\n"
} >"$file"
[ "${FAILURES:-0}" -eq 0 ]'
}

# expect SUMMARY EXIT-CODE VARIABLE=VALUE...
expect() {
  summary=$1
  expected=$2
  shift 2
  code=0
  output=$(env -u CI -u GRADFLIP_DATA "$@" PATH="$tree/bin:$PATH" "$tree/test.sh" --no-install 2>"$tree/log") || code=$?
  if [ "$(echo "$output" | tail -n 1)" != "$summary" ] || [ "$code" -ne "$expected" ]; then
    echo "test_summary_test: $*: expected '$summary' and exit code $expected, got '$output' and $code" >&2
    cat "$tree/log" >&2
    exit 1
  fi
}

# Four checks (layers and three builds) and three runs of ten tests each.
expect '28 passed, 0 failed, 6 skipped' 0 FAILURES=0
expect '22 passed, 6 failed, 6 skipped' 1 FAILURES=2
expect '27 passed, 1 failed, 6 skipped' 1 LAYERS_EXIT=1
expect '27 passed, 1 failed, 6 skipped' 1 BROKEN_PRESET=asan
expect '20 passed, 1 failed, 4 skipped' 1 SILENT_PRESET=tsan

# Where there is a CUDA toolkit, all of the project's architectures are built and checked, though demo.sh may have built
# for the GPU of this machine before.
mkdir -p "$tree/build/release" "$tree/benchmarks"
echo GRADFLIP_BUILT_WITH_CUDA:INTERNAL=1 >"$tree/build/release/CMakeCache.txt"
for script in scripts/check_cuda_code.py benchmarks/run_on_gpu.sh; do
  stand_in $script "echo \"$script \$*\""
done
expect '30 passed, 0 failed, 6 skipped' 0 FAILURES=0
grep -q '^cmake --preset release .*-UCMAKE_CUDA_ARCHITECTURES' "$tree/log"
grep -q '^benchmarks/run_on_gpu.sh --build-only --architecture default --pack none' "$tree/log"
rm -r "$tree/build/release/CMakeCache.txt"

# Ten tests, the slowest first, and what every stage took.
expect '28 passed, 0 failed, 6 skipped' 0 FAILURES=0
sed -n '/^Slowest tests:$/,/^$/p' "$tree/log" >"$tree/slowest"
[ "$(grep -c ' Suite[.]' "$tree/slowest")" -eq 10 ]
[ "$(sed -n 2p "$tree/slowest" | tr -s ' ')" = ' 8.5 s tsan Suite.tsan8' ]
[ "$(grep -c '^ *[0-9]* *[0-9]*  \(layers\|build: \(release\|asan\|tsan\)\|tests: \(release\|asan\|tsan\)\|all\)$' \
  "$tree/log")" -eq 8 ]
