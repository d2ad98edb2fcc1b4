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
exits 2 scripts/pack_for_gpu.sh ''
exits 2 scripts/pack_for_gpu.sh "$folder/a" "$folder/b"

# What is missing is named before anything is written, so that the next try finds nothing in its way.
mkdir "$folder/tools"
printf '#!/bin/sh\ncase $* in *librapidcheck-dev) exit 1 ;; esac\necho installed\n' >"$folder/tools/dpkg-query"
chmod +x "$folder/tools/dpkg-query"
code=0
PATH=$folder/tools:$PATH scripts/pack_for_gpu.sh --no-install "$folder/away" >"$folder/output" 2>&1 || code=$?
[ $code -eq 3 ] || fail "without a package it ended with $code"
grep -q 'apt-get install librapidcheck-dev$' "$folder/output" || fail "the package is not named: $(cat "$folder/output")"
GRADFLIP_DATA=$folder/nowhere exits 3 scripts/pack_for_gpu.sh --no-install "$folder/away"
[ -z "$(find "$folder" -name 'away*')" ] || fail 'something was written'

# The rest needs a checkout, and the packages themselves.
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || exit 0
dpkg-query -W libbenchmark-dev libhwy-dev librapidcheck-dev >/dev/null 2>&1 || exit 0

mkdir "$folder/mine"
echo precious >"$folder/mine/file"
exits 6 scripts/pack_for_gpu.sh --no-install "$folder/mine"
[ "$(cat "$folder/mine/file")" = precious ] || fail 'a folder that it did not make was changed'

mkdir -p "$folder/data/mnist" "$folder/data/bsds500/train" "$folder/data/bsds500/test"
for file in mnist/train-images-idx3-ubyte.gz bsds500/train/1.jpg bsds500/test/2.jpg; do
  echo "$file" >"$folder/data/$file"
done
export GRADFLIP_DATA="$folder/data"

# More than may travel: nothing is left of it.
head -c 63000000 /dev/zero >"$folder/data/mnist/large"
exits 6 scripts/pack_for_gpu.sh --no-install "$folder/away"
grep -q 'MiB together$' "$folder/output" || fail "no sizes: $(cat "$folder/output")"
[ -z "$(find "$folder" -name 'away*')" ] || fail 'what is too large was left'
rm "$folder/data/mnist/large"

exits 0 scripts/pack_for_gpu.sh --no-install "$folder/away"
exits 0 scripts/pack_for_gpu.sh --no-install "$folder/away" # again, over its own
grep -q "away/run.sh --parts build,tests,steps,peer --seconds 315 OUT" "$folder/output" || fail 'no command lines'

# What was there stays if the new one cannot take its place, or is not whole.
mkdir "$folder/wrong"
echo earlier >"$folder/away/mark"
stays() {
  [ "$(cat "$folder/away/mark")" = earlier ] || fail "$1: what was there is gone"
  [ "$(find "$folder" -maxdepth 1 -name 'away*' | wc -l)" -eq 1 ] || fail "$1: something was left beside it"
}
real=$(command -v mv)
cat >"$folder/wrong/mv" <<PROGRAM
#!/bin/sh
case \$1 in *away.??????) kill -TERM \$PPID && exit 1 ;; esac
exec "$real" "\$@"
PROGRAM
chmod +x "$folder/wrong/mv"
PATH=$folder/wrong:$PATH exits 130 scripts/pack_for_gpu.sh --no-install "$folder/away"
stays 'ended while it is replaced'
rm "$folder/wrong/mv"
# shellcheck disable=SC2016  # of the stand-in
printf '#!/bin/sh\n%s "$@"\ncase $1 in -c*) exit 2 ;; esac\n' "$(command -v tar)" >"$folder/wrong/tar"
chmod +x "$folder/wrong/tar"
PATH=$folder/wrong:$PATH exits 6 scripts/pack_for_gpu.sh --no-install "$folder/away"
stays 'files that cannot be read'

mv "$folder/away" "$folder/further"
exits 0 "$folder/further/run.sh" --help
away=$folder/further
[ "$(cat "$away/.gpu/data/bsds500/test/2.jpg")" = bsds500/test/2.jpg ] || fail 'the photographs are missing'
[ "$(cat "$away/.gpu/.gitignore")" = '*' ] || fail 'git would see the folder'

# The commit is the one that was packed, and changes since are told.
commit=$(git describe --always --dirty --exclude='*')
[ "$("$away/scripts/pack_for_gpu.sh" --commit "$away/.gpu")" = "$commit" ] || fail 'another commit'
echo >>"$away/kernels/sgd.cu"
[ "$("$away/scripts/pack_for_gpu.sh" --commit "$away/.gpu")" = "$commit-changed" ] || fail 'a change is not told'

# Paths count from where it is called. A folder inside the checkout does not come to hold itself.
git -C "$away" init -q
for try in first second; do
  (cd "$folder" && GRADFLIP_DATA=data exits 0 further/scripts/pack_for_gpu.sh --no-install further/inner)
  [ "$(cat "$away/inner/.gpu/data/bsds500/test/2.jpg")" = bsds500/test/2.jpg ] || fail "$try: the photographs are missing"
done
[ ! -e "$away/inner/inner" ] || fail 'the folder holds itself'
rm -r "$away/inner"

# Without a folder: the same, into the checkout itself.
find "$away/.gpu" | sed "s,^$away/,," | LC_ALL=C sort >"$folder/packed"
rm -rf "$away/.gpu" "$away/run.sh" "$away/.made_by_pack_for_gpu"
exits 0 "$away/scripts/pack_for_gpu.sh" --no-install
echo .gpu/.made_by_pack_for_gpu | LC_ALL=C sort - "$folder/packed" >"$folder/wanted"
find "$away/.gpu" | sed "s,^$away/,," | LC_ALL=C sort | diff - "$folder/wanted" >"$folder/output" ||
  fail "the pack inside a checkout differs: $(head -n 5 "$folder/output")"

mv "$away/.gpu" "$folder/pack"
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
