# shellcheck shell=sh disable=SC2034
# Sourced by demo.sh and test.sh, from the repository's root: installs what is missing, configures, builds.
# Everything here writes to stderr; stdout stays free for what the scripts are asked to produce.

# A closed stdin would make the first file that a child opens its stdin; nothing here reads it.
exec </dev/null

GRADFLIP_BUILD_PACKAGES='g++ cmake ninja-build libhwy-dev libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev libstb-dev'
GRADFLIP_TEST_PACKAGES='libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev'
GRADFLIP_CHECK_PACKAGES='clang-format clang-tidy'
GRADFLIP_SCRIPT_TEST_PACKAGES='python3 curl'

# Memory that one compiler process may need; with sanitizers twice that.
GRADFLIP_MIB_PER_JOB=1000

say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# usage_error TEXT: one line, exit code 2 as in the applications.
usage_error() {
  say "$(basename "$0"): $* (see $0 --help)"
  exit 2
}

# run COMMAND...: prints the command as one could type it, then runs it.
run() {
  say "\$ $*"
  "$@"
}

# A tool counts however it was installed, a library only as its package.
is_installed() {
  case $1 in
    g++ | cmake | clang-format | clang-tidy | python3 | curl) command -v "$1" >/dev/null && return ;;
    ninja-build) command -v ninja >/dev/null && return ;;
  esac
  # shellcheck disable=SC2016  # the braces are dpkg's
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    run "$@"
  else
    run sudo "$@"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
    -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=300 "$@" >&2
}

# install_packages PACKAGE...: those that are missing; returns at once if none is.
install_packages() {
  missing=
  for package in "$@"; do
    is_installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0

  command -v apt-get >/dev/null || die "no apt-get here; install the equivalents of:$missing," \
    "then run again with --no-install"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "neither root nor sudo; have an administrator run: apt-get install --no-install-recommends$missing"
  fi

  # Package lists may be absent (a fresh image) or stale (a version that the mirror no longer has).
  # shellcheck disable=SC2086  # a list of words
  if ! apt-cache show $missing >/dev/null 2>&1; then
    apt_get update || die "apt-get update failed; is the network up?"
    apt_get install --no-install-recommends $missing || die "apt-get could not install:$missing"
  elif ! apt_get install --no-install-recommends $missing; then
    say 'apt-get install failed; once more with fresh package lists'
    apt_get update || die "apt-get update failed; is the network up?"
    apt_get install --no-install-recommends $missing || die "apt-get could not install:$missing"
  fi
}

# build_jobs MIB: every core, but no more compilers at once than memory holds at MIB each.
build_jobs() {
  cores=$(nproc)
  free_mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  # Machines without cgroups of the second kind, and those that are no container, have no such file.
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  case $limit in
    '' | max) ;;
    *) [ $((limit / 1048576)) -ge "$free_mib" ] || free_mib=$((limit / 1048576)) ;;
  esac
  jobs=$((free_mib / $1))
  [ "$jobs" -le "$cores" ] || jobs=$cores
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}

# configure PRESET OPTION...
configure() {
  preset=$1
  shift
  if command -v ccache >/dev/null; then
    set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  run cmake --preset "$preset" "$@" >&2
}
