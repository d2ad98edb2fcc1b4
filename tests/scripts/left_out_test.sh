#!/bin/sh
# A filter leaves out only tests of the emulated GPU.
# usage: left_out_test.sh PROGRAM FILTER
set -eu

# listed FILTER: Suite/cuda.Name, a line each.
listed() {
  "$program" --gtest_list_tests "--gtest_filter=$1" |
    awk '/^[^ ].*\./ { suite = $1 } /^  / { print suite $1 }' | LC_ALL=C sort
}

program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
listed '*' >"$folder/all"
listed "$2" >"$folder/selected"
[ -s "$folder/selected" ] || { echo "no test fits $2" >&2 && exit 1; }
if LC_ALL=C comm -23 "$folder/all" "$folder/selected" | grep -v -e '/cuda\.' -e '^SecondGpu' >&2; then
  echo "are left out by $2" >&2
  exit 1
fi
