#!/bin/sh
# Lines of kernels, runtime, models and apps that the CPU's tests and the plain emulation run, by gcov; see --help.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<TEXT
usage: scripts/coverage.sh [BUILD_FOLDER [TABLE]]
       scripts/coverage.sh --compare BEFORE AFTER

Builds the tests with gcov in BUILD_FOLDER (default: build/coverage), runs them, and writes TABLE (default:
BUILD_FOLDER/coverage.tsv), a line per source file: lines covered, lines with code, file, hash of the file, and the
numbers of lines that nothing ran. CUDA kernels run on the emulated GPU; neither a GPU nor a toolkit takes part.

--compare prints the totals of two tables, files whose coverage differs, and, of files that are the same in both,
each line that was covered before and is not after. Such a line is exit code 1.
TEXT
}

case ${1:-} in
  --help | -h) usage && exit ;;
  --compare)
    [ $# -eq 3 ] || { echo "coverage.sh: --compare needs two tables (see $0 --help)" >&2 && exit 2; }
    exec python3 scripts/coverage_table.py compare "$2" "$3"
    ;;
  -*) echo "coverage.sh: unknown option $1 (see $0 --help)" >&2 && exit 2 ;;
esac
build=${1:-build/coverage}
table=${2:-$build/coverage.tsv}

# Little optimisation, so that every line keeps code of its own; threads count together.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DGRADFLIP_CUDA=OFF -DGRADFLIP_TESTS=ON \
  -DGRADFLIP_BENCHMARKS=OFF -DGRADFLIP_PRECOMPILED_HEADERS=OFF -DCMAKE_CXX_FLAGS_DEBUG=-Og \
  -DCMAKE_CXX_FLAGS='--coverage -fprofile-abs-path -fprofile-update=atomic' >&2
cpu_tests='kernels_test runtime_test models_test allocation_test support_test apps_test dann_mnist_test'
emulated_tests='kernels_plain runtime_plain models_plain'
# shellcheck disable=SC2086  # a list of words
cmake --build "$build" --parallel "$(nproc)" --target $cpu_tests $emulated_tests >&2

find "$build" -name '*.gcda' -delete
failures=
for test in $cpu_tests; do
  "$build/bin/$test" --gtest_brief=1 >&2 || failures="$failures $test"
done
for test in $emulated_tests; do
  GRADFLIP_REQUIRE_CUDA=1 "$build/bin/$test" --gtest_brief=1 --gtest_filter='-*/cpu*' >&2 ||
    failures="$failures $test"
done
python3 scripts/coverage_table.py measure "$build" "$table"
[ -z "$failures" ] || {
  echo "coverage.sh: failed:$failures" >&2
  exit 1
}
