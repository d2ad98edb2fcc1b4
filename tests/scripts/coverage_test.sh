#!/bin/sh
# scripts/coverage_table.py measures what a program ran, and says which lines of an unchanged file ran before only.
set -eu
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/scripts" "$tree/kernels" "$tree/tests" "$tree/build"
cp scripts/coverage.sh scripts/coverage_table.py "$tree/scripts/"

fail() {
  echo "coverage_test: $*" >&2
  exit 1
}

cat >"$tree/kernels/sign.cpp" <<'TEXT'
int sign(int x) {
  if (x < 0)
    return -1;
  return x > 0;
}
TEXT
printf 'int sign(int);\nint main(int count, char**) {\n  return sign(2 - count) < -1;\n}\n' >"$tree/tests/main.cpp"
(
  cd "$tree/build"
  g++ --coverage -fprofile-abs-path -c ../kernels/sign.cpp ../tests/main.cpp
  g++ --coverage sign.o main.o -o program
)

# Whatever new suites there are: of the emulation everything runs but what the CPU's test programs run already.
mkdir -p "$tree/tools" "$tree/suites/bin"
printf '#!/bin/sh\n' >"$tree/tools/cmake"
# shellcheck disable=SC2016  # of the programs
for program in kernels_test runtime_test models_test allocation_test support_test apps_test dann_mnist_test \
  kernels_plain runtime_plain models_plain; do
  printf '#!/bin/sh\necho "$(basename "$0") $*" >>"%s/calls"\n' "$tree" >"$tree/suites/bin/$program"
done
chmod +x "$tree/tools/cmake" "$tree/suites/bin"/*
PATH=$tree/tools:$PATH "$tree/scripts/coverage.sh" "$tree/suites" "$tree/none" >"$tree/log" 2>&1 || :
[ "$(grep -c '^[a-z_]*_test --gtest_brief=1$' "$tree/calls")" -eq 7 ] || fail "not all of the CPU's tests ran"
[ "$(grep -c '^[a-z]*_plain .*--gtest_filter=-[*]/cpu[*]$' "$tree/calls")" -eq 3 ] ||
  fail "tests of the emulation are left out: $(cat "$tree/calls")"

# measure TABLE ARGUMENT...: of the program with these arguments.
measure() {
  table=$1
  shift
  find "$tree/build" -name '*.gcda' -delete
  "$tree/build/program" "$@"
  python3 "$tree/scripts/coverage_table.py" measure "$tree/build" "$tree/$table"
}

measure positive >"$tree/log"
grep -q '^kernels  *3 of  *4 lines' "$tree/log" || fail "three lines of four: $(cat "$tree/log")"
! grep -q tests/main.cpp "$tree/positive" || fail 'a test counts as covered'
measure negative a b >/dev/null
cp "$tree/positive" "$tree/before"

"$tree/scripts/coverage.sh" --compare "$tree/before" "$tree/positive" >/dev/null || fail 'equal tables differ'
code=0
"$tree/scripts/coverage.sh" --compare "$tree/before" "$tree/negative" >"$tree/log" || code=$?
[ "$code" -eq 1 ] || fail "a line was lost, but the exit code is $code"
grep -q '^kernels/sign.cpp:4: covered before, not covered now$' "$tree/log" || fail "line 4: $(cat "$tree/log")"

# Of a file that changed, lines cannot be compared by number.
echo 'int unused() { return 0; }' >>"$tree/kernels/sign.cpp"
(cd "$tree/build" && g++ --coverage -fprofile-abs-path -c ../kernels/sign.cpp &&
  g++ --coverage sign.o main.o -o program)
measure changed a b >/dev/null
"$tree/scripts/coverage.sh" --compare "$tree/before" "$tree/changed" >"$tree/log" || fail 'a changed file counts as lost'
grep -q 'the file changed' "$tree/log" || fail "no word of the change: $(cat "$tree/log")"

# A file that nothing compiles any more is lost; one that is gone is not.
printf 'covered\tlines\tfile\thash\tnot covered\tcovered\n1\t1\tkernels/sign.cpp\t%s\t\t1\n1\t1\tkernels/a.cpp\t0\t\t1\n' \
  "$(cut -f 4 "$tree/changed" | tail -n 1)" >"$tree/old"
printf 'covered\tlines\tfile\thash\tnot covered\tcovered\n1\t1\tkernels/b.cpp\t0\t\t1\n' >"$tree/new"
code=0
"$tree/scripts/coverage.sh" --compare "$tree/old" "$tree/new" >"$tree/log" || code=$?
[ "$code" -eq 1 ] || fail "a file is not compiled any more, but the exit code is $code"
grep -q '^kernels/sign.cpp:1: covered before, without code now$' "$tree/log" || fail "not compiled: $(cat "$tree/log")"
! grep -q '^kernels/a.cpp:1' "$tree/log" || fail "a file that is gone counts as lost"
