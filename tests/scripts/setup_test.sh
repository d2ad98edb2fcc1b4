#!/bin/sh
# setup.sh with stand-ins for the tools that it calls: installs only what is missing, refreshes package lists only
# when it must, and says in one line what to do when it cannot install.
set -eu

stand_ins=$(mktemp -d)
trap 'rm -rf "$stand_ins"' EXIT
log=$stand_ins/log
export log

# stand_in NAME BODY: a program of that name, first on PATH.
stand_in() {
  printf '#!/bin/sh\n%s\n' "$2" >"$stand_ins/$1"
  chmod +x "$stand_ins/$1"
}

# setup COMMAND...: sources setup.sh and runs the command there, with the stand-ins; prints what it says.
setup() {
  : >"$log"
  PATH=$stand_ins:$PATH sh -euc '. scripts/setup.sh; "$@"' setup "$@" 2>&1
}

fail() {
  echo "setup_test: $*" >&2
  echo "  apt-get was called with: $(cat "$log")" >&2
  exit 1
}

# shellcheck disable=SC2016  # expanded by the stand-ins
stand_in dpkg-query 'case $* in *libpresent-dev) printf installed ;; *) exit 1 ;; esac'
# shellcheck disable=SC2016
stand_in apt-get 'echo "$@" >>"$log"'
stand_in apt-cache 'exit 0'
stand_in id 'echo 0'

output=$(setup install_packages libpresent-dev) || fail 'a present package is an error'
[ ! -s "$log" ] || fail 'apt-get ran although nothing was missing'

output=$(setup install_packages libpresent-dev libabsent-dev) || fail "install failed: $output"
grep -q 'install --no-install-recommends libabsent-dev$' "$log" || fail 'the missing package was not installed'
! grep -q update "$log" || fail 'package lists were refreshed without need'

stand_in apt-cache 'exit 100'
output=$(setup install_packages libabsent-dev) || fail "install failed: $output"
[ "$(sed -n '1s/.* //p;2s/.* //p' "$log" | tr '\n' ' ')" = 'update libabsent-dev ' ] ||
  fail 'absent package lists were not refreshed before the installation'

stand_in apt-cache 'exit 0'
# shellcheck disable=SC2016
stand_in apt-get 'echo "$@" >>"$log"; case $* in *install*) [ "$(wc -l <"$log")" -ge 3 ] ;; esac'
output=$(setup install_packages libabsent-dev) || fail "no second attempt with fresh lists: $output"

# shellcheck disable=SC2016
stand_in apt-get 'echo "$@" >>"$log"; exit 100'
! output=$(setup install_packages libabsent-dev) || fail 'a failed installation is not an error'

stand_in id 'echo 1000'
mkdir "$stand_ins/bin"
for tool in sh basename; do
  ln -s "$(command -v $tool)" "$stand_ins/bin/$tool"
done
for tool in dpkg-query apt-get apt-cache id; do
  ln -s "$stand_ins/$tool" "$stand_ins/bin/$tool"
done
code=0
output=$(PATH=$stand_ins/bin sh -c '. scripts/setup.sh; install_packages libabsent-dev' demo.sh 2>&1) || code=$?
[ "$code" -eq 1 ] || fail "neither root nor sudo: exit code $code, expected 1"
case $output in
  'demo.sh: neither root nor sudo'*'libabsent-dev') ;;
  *) fail "neither root nor sudo: $output" ;;
esac

jobs=$(setup build_jobs 1) || fail "build_jobs 1: exit code $?"
[ "$jobs" -eq "$(nproc)" ] || fail "build_jobs 1 is $jobs, expected every core"
jobs=$(setup build_jobs 1000000000) || fail "build_jobs with little memory: exit code $?"
[ "$jobs" -eq 1 ] || fail "build_jobs with little memory is $jobs, expected 1"

# A machine that sets no limit has no file that would name one.
stand_in cat 'exit 1'
jobs=$(setup build_jobs 1) || fail "build_jobs without a memory limit: exit code $?"
[ "$jobs" = "$(nproc)" ] || fail "build_jobs without a memory limit is \"$jobs\", expected every core"
