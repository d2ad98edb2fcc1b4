#!/bin/sh
# clang-format on every source file of the project: names what differs and fails; --fix rewrites it instead.
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
  '') mode='--dry-run -Werror' ;;
  --fix) mode=-i ;;
  *)
    echo "usage: $0 [--fix]" >&2
    exit 2
    ;;
esac
command -v clang-format >/dev/null || {
  echo "$0: clang-format is missing (Debian/Ubuntu package clang-format)" >&2
  exit 1
}

# shellcheck disable=SC2086  # one or two words
find kernels runtime models apps tests benchmarks \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 -r clang-format --style=file $mode
