#!/bin/sh
# clang-tidy on every translation unit of the project that a build folder's compile_commands.json lists.
# usage: scripts/check_tidy.sh [BUILD_FOLDER [FILE_PATTERN]], a pattern of grep -E on the file's path
set -eu
cd "$(dirname "$0")/.."

build=${1:-build/release}
pattern=${2:-.}
commands=$build/compile_commands.json
[ -s "$commands" ] || {
  echo "$0: $commands is missing; configure first: cmake --preset release" >&2
  exit 1
}
command -v clang-tidy >/dev/null || {
  echo "$0: clang-tidy is missing (Debian/Ubuntu package clang-tidy)" >&2
  exit 1
}

# Not CUDA sources: clang-tidy knows neither nvcc's options nor toolkits younger than itself.
files=$(sed -n "s|^ *\"file\": \"$PWD/\(.*\)\",*\$|\1|p" "$commands" |
  grep -E '^(kernels|runtime|models|apps|tests|benchmarks)/' | grep -E "$pattern" | grep -v '\.cu$' | sort -u) || {
  echo "$0: $commands lists no file of the project that matches $pattern" >&2
  exit 1
}

# shellcheck disable=SC2086  # a list of words
exec python3 scripts/tidy_groups.py "$build" $files
