#!/bin/sh
# Packs what a machine without network needs to build and measure gradflip; see --help.
set -eu
here=$(pwd -P)
cd "$(dirname "$0")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh

usage() {
  cat <<TEXT
usage: scripts/pack_for_gpu.sh [--no-install] [FOLDER]

Without FOLDER fills .gpu, for a machine that gets this tree with that folder in it; git ignores it. With FOLDER makes a
copy of this tree there (what git tracks or does not ignore), with .gpu in it, which runs as FOLDER/run.sh on any machine
that it is taken to; its options are those of benchmarks/run_on_gpu.sh.

.gpu holds the headers, libraries and package files of everything that the build and its tests use, as Debian's and
Ubuntu's packages have them, and the real data of the recorded experiments from \$GRADFLIP_DATA, if that is set: MNIST,
and the photographs of BSDS500. What an earlier call made is replaced once all of the new one is there. Tree and pack
together must stay below 60 MiB.

Pack from a clean clone: results name the commit, and whether anything was changed since.

  --no-install   do not install missing packages, but name them
  --commit PACK  print the commit that PACK was made from, with -changed if this tree is not the one that it was made for

Exit codes: 0 done, 2 usage, 3 data or a package is missing, 6 the disk.
TEXT
}

# fail CODE TEXT
fail() {
  code=$1
  shift
  echo "pack_for_gpu.sh: $*" >&2
  exit "$code"
}

# Of everything that decides what is built and run, in the folder that this runs in.
digest() {
  sums=$(find CMakeLists.txt CMakePresets.json apps benchmarks kernels models runtime scripts tests -type f \
    ! -path 'benchmarks/results/*' ! -path '*/__pycache__/*' -exec sha256sum {} +) || fail 6 'the tree cannot be read'
  echo "$sums" | LC_ALL=C sort -k 2 | sha256sum | cut -d ' ' -f 1
}

# absolute PATH: of one that counts from where this was called.
absolute() {
  case $1 in '' | /*) echo "$1" ;; *) echo "$here/$1" ;; esac
}

folder=
install=1
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage && exit ;;
    --no-install) install=0 ;;
    --commit)
      [ -n "${2:-}" ] || fail 2 '--commit needs a folder'
      pack=$(absolute "$2")
      commit=$(cat "$pack/commit") || fail 6 "$2: holds no commit"
      [ "$(digest)" = "$(cat "$pack/digest")" ] || commit=$commit-changed
      echo "$commit" && exit
      ;;
    '' | -*) fail 2 "unknown option \"$1\" (see $0 --help)" ;;
    *)
      [ -z "$folder" ] || fail 2 "too many arguments (see $0 --help)"
      folder=$1
      ;;
  esac
  shift
done

packages='libhwy-dev libcli11-dev libfmt-dev nlohmann-json3-dev zlib1g-dev libstb-dev libgtest-dev libgmock-dev
  librapidcheck-dev libbenchmark-dev'
most_bytes=$((60 * 1024 * 1024))

folder=$(absolute "$folder")
GRADFLIP_DATA=$(absolute "${GRADFLIP_DATA:-}")
target=${folder:-$(pwd -P)/.gpu}

# What is missing is said, or got, before anything is written.
command -v dpkg-query >/dev/null || fail 3 'packs Debian/Ubuntu packages, and there is no dpkg-query here'
for part in mnist bsds500/train bsds500/test; do
  [ -z "$GRADFLIP_DATA" ] || [ -n "$(ls "$GRADFLIP_DATA/$part" 2>/dev/null)" ] ||
    fail 3 "$GRADFLIP_DATA/$part is missing; scripts/fetch_data.sh gets it"
done
files=$(git -c core.quotePath=off ls-files --cached --others --exclude-standard) ||
  fail 3 'packs a git checkout, and this is none'
# Not what an earlier call made inside the checkout.
files=$(echo "$files" | inside=${target#"$(pwd -P)"/}/ awk 'index($0, ENVIRON["inside"]) != 1')
missing=
for package in $packages; do
  is_installed "$package" || missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ $install -eq 1 ] || fail 3 "packages are missing; apt-get install$missing"
  # shellcheck disable=SC2086  # a list of words
  (install_packages $missing) || fail 3 "packages are missing; apt-get install$missing"
fi

# A folder of another kind is not ours to delete.
if [ -e "$target" ] && [ ! -f "$target/.made_by_pack_for_gpu" ]; then
  if [ ! -d "$target" ] || [ -n "$(ls -A "$target")" ]; then
    fail 6 "$target: exists and was not made by this script; choose another folder, or remove it"
  fi
fi
# Made beside its place: what is there stays until all of the new one is.
stage=$(mktemp -d "${target%/}.XXXXXX" 2>/dev/null) || fail 6 "$target: cannot be made"
old=
# Between the two moves that replace it, what was there has another name.
clean_up() {
  [ -z "$old" ] || [ ! -e "$old" ] || [ -e "$target" ] || mv "$old" "$target"
  rm -rf "$stage" ${old:+"$old"}
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$stage"
pack=$stage${folder:+/.gpu}
mkdir -p "$pack"
echo '*' >"$pack/.gitignore"
echo 'scripts/pack_for_gpu.sh may replace this folder.' >"$stage/.made_by_pack_for_gpu"

# chain FILE: the file, and what it points to if it is a link beside its target, as libfmt.so to libfmt.so.9 is.
chain() {
  file=$1
  echo "$file"
  while [ -h "$file" ]; do
    next=$(readlink "$file")
    case $next in
      */*) fail 3 "$file points to $next, which is not beside it" ;;
    esac
    file=$(dirname "$file")/$next
    echo "$file"
  done
}

# copy_files FROM LIST TO: not by a pipe, which tells nothing of what failed at its left end.
copy_files() {
  if ! tar -cf "$stage/tar" --no-recursion -C "$1" -T "$2" || ! tar -xf "$stage/tar" --no-same-owner -C "$3"; then
    fail 6 "$3: files of $1 could not be copied"
  fi
  rm "$stage/tar" "$2"
}

# shellcheck disable=SC2086  # a list of words
listed=$(dpkg-query -L $packages) || fail 3 'dpkg-query does not list what is in the packages'
echo "$listed" | sort -u | while read -r file; do
  [ -f "$file" ] || continue
  case $file in
    # One of stb's many headers is used; zlib is linked statically.
    /usr/include/stb/stb_image.h) echo "$file" ;;
    /usr/include/stb/* | */libstb.* | */libz.so*) ;;
    *.so) chain "$file" ;;
    /usr/include/* | */cmake/* | *.a) echo "$file" ;;
  esac
done >"$stage/absolute"
sed 's,^/,,' "$stage/absolute" >"$stage/files"
rm "$stage/absolute"
copy_files / "$stage/files" "$pack"

# What find_package() reads first: where each package lies in this folder, wherever that is.
libraries=$(cd "$pack" && echo usr/lib/*-linux-gnu)
multiarch=$(basename "$libraries")
{
  # shellcheck disable=SC2016  # CMake's own variable
  echo 'set(packed "${CMAKE_CURRENT_LIST_DIR}")'
  (cd "$pack" && find usr -name '*[cC]onfig.cmake' ! -name '*[vV]ersion.cmake' -path '*/cmake/*' | sort) |
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
} >"$pack/packages.cmake"

# A machine without git history still reports what it measured.
git describe --always --dirty --exclude='*' >"$pack/commit" 2>/dev/null || echo unknown >"$pack/commit"
digest >"$pack/digest"

if [ -n "$GRADFLIP_DATA" ]; then
  for part in mnist bsds500/train bsds500/test; do
    mkdir -p "$pack/data/$part"
    cp "$GRADFLIP_DATA/$part"/* "$pack/data/$part/" || fail 6 "$GRADFLIP_DATA/$part: could not be copied"
  done
fi

# Those of the tree's files that are there; git knows of deleted ones, too.
pack_sizes=$(du -sb "$pack") || fail 6 "$pack: cannot be read"
echo "$files" | LC_ALL=C sort -u | while read -r file; do
  [ ! -f "$file" ] || echo "$file"
done >"$stage/tree"
tree_sizes=$(xargs -d '\n' du -cb <"$stage/tree") || fail 6 'the tree cannot be read'
tree_bytes=$(echo "$tree_sizes" | awk '$2 == "total" { sum += $1 } END { print sum }')
pack_bytes=$(echo "$pack_sizes" | cut -f 1)
mib() {
  echo "$((($1 + 1048575) / 1048576)) MiB"
}
[ $((tree_bytes + pack_bytes)) -le "$most_bytes" ] ||
  fail 6 "the tree has $(mib "$tree_bytes") and the pack $(mib "$pack_bytes"), more than $(mib $most_bytes) together"

command=benchmarks/run_on_gpu.sh
if [ -n "$folder" ]; then
  copy_files "$PWD" "$stage/tree" "$stage"
  cat >"$stage/run.sh" <<'RUN'
#!/bin/sh
# Builds and measures gradflip with this machine's GPU: run.sh [OPTION...] [OUT]; --help tells the rest.
exec "$(dirname "$0")/benchmarks/run_on_gpu.sh" "$@"
RUN
  chmod +x "$stage/run.sh"
  command=$target/run.sh
else
  rm "$stage/tree"
fi
if [ -e "$target" ]; then
  old=$stage.old
  mv "$target" "$old"
fi
mv "$stage" "$target"
[ -z "$old" ] || rm -rf "$old"

say "$target: tree $(mib "$tree_bytes"), pack $(mib "$pack_bytes"), commit $(cat "$target${folder:+/.gpu}/commit")"
case $(cat "$target${folder:+/.gpu}/commit") in
  *-dirty) say 'There are changes that no commit has; for results that are to be kept, pack from a clean clone.' ;;
esac
[ -n "$GRADFLIP_DATA" ] || say 'GRADFLIP_DATA is not set: without data the part "paper" will not run.'
say 'On the GPU machine, at once or, where GPU time is short, in two calls that share the build:'
say "  $command OUT"
say "  $command --parts build,tests,steps,peer --seconds 315 OUT"
say "  $command --parts paper,profile,kernels,sanitizers --seconds 235 OUT"
