#!/bin/sh
# pack_for_gpu.sh makes a folder that configures elsewhere, and leaves other people's folders alone.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "pack_for_gpu_test: $*" >&2
  exit 1
}

exits() {
  wanted=$1
  shift
  code=0
  "$@" >"$folder/output" 2>&1 || code=$?
  [ $code -eq "$wanted" ] || fail "$* ended with $code, not $wanted: $(cat "$folder/output")"
}

exits 0 scripts/pack_for_gpu.sh --help
exits 2 scripts/pack_for_gpu.sh --unknown
exits 2 scripts/pack_for_gpu.sh "$folder/a" "$folder/b"
mkdir "$folder/mine"
echo precious >"$folder/mine/file"
exits 6 scripts/pack_for_gpu.sh "$folder/mine"
[ "$(cat "$folder/mine/file")" = precious ] || fail 'a folder that it did not make was changed'

# The rest needs the packages themselves.
if ! dpkg-query -W libbenchmark-dev libhwy-dev >/dev/null 2>&1; then
  exits 3 scripts/pack_for_gpu.sh "$folder/pack"
  exit 0
fi

mkdir -p "$folder/data/mnist" "$folder/data/bsds500/train" "$folder/data/bsds500/test"
for file in mnist/train-images-idx3-ubyte.gz bsds500/train/1.jpg bsds500/test/2.jpg; do
  echo "$file" >"$folder/data/$file"
done
export GRADFLIP_DATA="$folder/data"
exits 0 scripts/pack_for_gpu.sh "$folder/pack"
exits 0 scripts/pack_for_gpu.sh "$folder/pack" # again, over its own
[ "$(cat "$folder/pack/data/bsds500/test/2.jpg")" = bsds500/test/2.jpg ] || fail 'the photographs are missing'
[ "$(cat "$folder/pack/.gitignore")" = '*' ] || fail 'git would see the folder'
[ -s "$folder/pack/commit" ] || fail 'no commit'
broken=$(find "$folder/pack" -type l ! -exec test -e {} \; -print)
[ -z "$broken" ] || fail "links that lead nowhere: $broken"
[ -z "$(find "$folder/pack" -type l -lname '/*')" ] || fail 'links that lead out of the folder'

# CMake finds every package in it, wherever the folder is.
mv "$folder/pack" "$folder/elsewhere"
cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(packed LANGUAGES CXX)
foreach(package hwy fmt CLI11 nlohmann_json GTest rapidcheck benchmark ZLIB)
  find_package(${package} REQUIRED)
endforeach()
foreach(package hwy fmt CLI11 nlohmann_json GTest rapidcheck benchmark)
  string(FIND "${${package}_DIR}" "/elsewhere/" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${package} was found in ${${package}_DIR}")
  endif()
endforeach()
CMAKE
exits 0 cmake -S "$folder" -B "$folder/build" -C "$folder/elsewhere/packages.cmake"

export GRADFLIP_DATA="$folder/nowhere"
exits 3 scripts/pack_for_gpu.sh "$folder/pack"
