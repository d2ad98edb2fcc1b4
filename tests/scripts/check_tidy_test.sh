#!/bin/sh
# scripts/check_tidy.sh looks at files in groups and finds what it would find in each: in a group, where names clash, and
# in files that stand alone. Skipped where clang-tidy is missing.
set -eu
command -v clang-tidy >/dev/null || {
  echo 'check_tidy_test: no clang-tidy here'
  [ "${CI:-}" = true ] && exit 1
  exit 77
}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/scripts" "$tree/runtime" "$tree/build"
cp scripts/check_tidy.sh scripts/tidy_groups.py "$tree/scripts/"
cp .clang-tidy "$tree/"

fail() {
  echo "check_tidy_test: $*" >&2
  exit 1
}

# file NAME TEXT: a file of the tree, compiled with what only g++ knows: a precompiled header, and a warning.
: >"$tree/commands"
file() {
  printf '%s\n' "$2" >"$tree/runtime/$1"
  [ ! -s "$tree/commands" ] || echo ',' >>"$tree/commands"
  cat >>"$tree/commands" <<TEXT
{
  "directory": "$tree/build",
  "command": "c++ -Wno-restrict -Winvalid-pch -include $tree/build/cmake_pch.hxx -I$tree -o $1.o -c $tree/runtime/$1",
  "file": "$tree/runtime/$1"
}
TEXT
}

# expect EXIT-CODE TEXT
expect() {
  (echo '[' && cat "$tree/commands" && echo ']') >"$tree/build/compile_commands.json"
  code=0
  "$tree/scripts/check_tidy.sh" build >"$tree/log" 2>&1 || code=$?
  if [ "$code" -ne "$1" ] || ! { cat "$tree/log" && echo end; } | grep -q -e "$2"; then
    fail "expected exit code $1 and '$2', got $code: $(cat "$tree/log")"
  fi
}

file good.cpp 'namespace { int twice(int x) { return 2 * x; } }
int four() { return twice(2); }'
file other.cpp 'int five() { return 5; }'
expect 0 end
! grep -q 'in parts' "$tree/log" || fail 'nothing was wrong, but the group was taken apart'

# Files with a name in common are kept apart, or taken apart where that was overlooked.
file clash.cpp 'namespace {
int twice(int x) { return x + x; }
}
int eight() { return twice(4); }'
file clash_too.cpp 'namespace {
int twice(int x) { return 4 * x / 2; }
}
int sixteen() { return twice(8); }'
expect 0 'in parts: .*runtime/clash.cpp'
! grep -q 'clash.cpp.*clash_too.cpp' "$tree/log" || fail 'files that define the same name are in one group'

file wrong.cpp 'int BadName() { return 1; }'
expect 1 "wrong.cpp:1:5: .*invalid case style for function 'BadName'"

file alone.cpp '#pragma GCC optimize("O2")
int Alone() { return 1; }'
expect 1 "alone.cpp:2:5: .*invalid case style for function 'Alone'"
