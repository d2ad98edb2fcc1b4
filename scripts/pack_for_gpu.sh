#!/bin/sh
# Packs what a machine without network needs to build and measure gradflip; see --help.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<TEXT
usage: scripts/pack_for_gpu.sh [FOLDER]

Copies into FOLDER (default .gpu) the headers, libraries and package files of everything that the build and its tests
use (as installed here by Debian/Ubuntu packages), and the real data of the recorded experiments from \$GRADFLIP_DATA,
if that is set: MNIST, and the photographs of BSDS500. benchmarks/run_on_gpu.sh finds them there. The folder tells git
to ignore it; an older one is replaced. It must stay below 60 MB.

Exit codes: 0 done, 2 usage, 3 data or a package is missing, 6 the disk.
TEXT
}

die() {
  code=$1
  shift
  echo "pack_for_gpu.sh: $*" >&2
  exit "$code"
}

folder=.gpu
case ${1:-} in
  --help | -h) usage && exit ;;
  -*) die 2 "unknown option $1 (see $0 --help)" ;;
  ?*) folder=$1 ;;
esac
[ $# -le 1 ] || die 2 "too many arguments (see $0 --help)"
command -v dpkg-query >/dev/null || die 3 'packs Debian/Ubuntu packages, and there is no dpkg-query here'

packages='libhwy-dev libcli11-dev libfmt-dev nlohmann-json3-dev zlib1g-dev libstb-dev libgtest-dev libgmock-dev
  librapidcheck-dev libbenchmark-dev'
most_bytes=60000000

# A folder of another kind is not ours to delete.
if [ -e "$folder" ]; then
  [ -f "$folder/packages.cmake" ] || [ -z "$(ls -A "$folder")" ] ||
    die 6 "$folder: exists and was not made by this script; choose another folder"
  rm -rf "$folder"
fi
mkdir -p "$folder" || die 6 "$folder: cannot be made"
folder=$(cd "$folder" && pwd)
echo '*' >"$folder/.gitignore"

# chain FILE: the file, and what it points to if it is a link beside its target, as libfmt.so to libfmt.so.9 is.
chain() {
  file=$1
  echo "$file"
  while [ -h "$file" ]; do
    next=$(readlink "$file")
    case $next in
      */*) die 3 "$file points to $next, which is not beside it" ;;
    esac
    file=$(dirname "$file")/$next
    echo "$file"
  done
}

for package in $packages; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
    die 3 "the package $package is missing; apt-get install $package"
done

# shellcheck disable=SC2086  # a list of words
dpkg-query -L $packages | sort -u | while read -r file; do
  [ -f "$file" ] || continue
  case $file in
    # One of stb's many headers is used; zlib is linked statically.
    /usr/include/stb/stb_image.h) echo "$file" ;;
    /usr/include/stb/* | */libstb.* | */libz.so*) ;;
    *.so) chain "$file" ;;
    /usr/include/* | */cmake/* | *.a) echo "$file" ;;
  esac
done >"$folder/files"
(cd / && sed 's,^/,,' "$folder/files" | tar -cf - --no-recursion -T -) | tar -xf - --no-same-owner -C "$folder"
rm "$folder/files"

# What find_package() reads first: where each package lies in this folder, wherever that is.
libraries=$(cd "$folder" && echo usr/lib/*-linux-gnu)
multiarch=$(basename "$libraries")
{
  # shellcheck disable=SC2016  # CMake's own variable
  echo 'set(packed "${CMAKE_CURRENT_LIST_DIR}")'
  (cd "$folder" && find usr -name '*[cC]onfig.cmake' ! -name '*[vV]ersion.cmake' -path '*/cmake/*' | sort) |
    while read -r config; do
      name=$(basename "$config" .cmake)
      name=${name%-config}
      name=${name%Config}
      # shellcheck disable=SC2016
      printf 'set(%s_DIR "${packed}/%s" CACHE PATH "")\n' "$name" "$(dirname "$config")"
    done
  cat <<CMAKE
set(ZLIB_INCLUDE_DIR "\${packed}/usr/include" CACHE PATH "")
set(ZLIB_LIBRARY "\${packed}/$libraries/libz.a" CACHE FILEPATH "")
# For headers that no package file names: stb's, and zconf.h.
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES "\${packed}/usr/include" "\${packed}/usr/include/$multiarch" CACHE STRING "")
CMAKE
} >"$folder/packages.cmake"

# A machine without git history still reports what it measured.
git describe --always --dirty --exclude='*' >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"

if [ -n "${GRADFLIP_DATA:-}" ]; then
  for part in mnist bsds500/train bsds500/test; do
    [ -d "$GRADFLIP_DATA/$part" ] || die 3 "$GRADFLIP_DATA/$part is missing; scripts/fetch_data.sh gets it"
    mkdir -p "$folder/data/$part"
    cp "$GRADFLIP_DATA/$part"/* "$folder/data/$part/"
  done
fi

bytes=$(du -sb "$folder" | cut -f 1)
[ "$bytes" -le "$most_bytes" ] || die 6 "$folder takes $bytes bytes, more than $most_bytes"
echo "$folder: $((bytes / 1000000)) MB" >&2
