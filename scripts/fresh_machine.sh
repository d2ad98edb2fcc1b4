#!/bin/sh
# Runs ./demo.sh on a bare Debian or Ubuntu: bootstraps one into a folder, copies the repository's files into it and
# works in a chroot there. The host lends its package mirror and its apt configuration; nothing else of it is visible.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<TEXT
usage: scripts/fresh_machine.sh [OPTION...] [FOLDER]

FOLDER (default: a new one under \${TMPDIR:-/tmp}) must not exist or be empty; it takes about 2 GB. Needs root,
debootstrap and git. Exit code 0 only if everything that ran succeeded.

  --test         run ./test.sh after ./demo.sh
  --untracked    copy also files that git neither tracks nor ignores
  --keep         keep the folder
  --suite NAME   Debian or Ubuntu release, as noble (default: bookworm)
  --mirror URL   its package mirror (default: the one that the host's apt uses for that release, or else that of the
                 distribution)
  --help         show this text
TEXT
}

die() {
  echo "fresh_machine.sh: $*" >&2
  exit 1
}

suite=bookworm
mirror=
scripts=./demo.sh
listed=--cached
keep=0
root=
while [ $# -gt 0 ]; do
  case $1 in
    --test) scripts='./demo.sh ./test.sh' ;;
    --untracked) listed='--cached --others --exclude-standard' ;;
    --keep) keep=1 ;;
    --suite | --mirror)
      [ $# -ge 2 ] || { echo "fresh_machine.sh: $1 needs a value" >&2 && exit 2; }
      if [ "$1" = --suite ]; then suite=$2; else mirror=$2; fi
      shift
      ;;
    --help | -h) usage && exit ;;
    -*) echo "fresh_machine.sh: unknown option $1 (see $0 --help)" >&2 && exit 2 ;;
    *) root=$1 ;;
  esac
  shift
done

[ "$(id -u)" -eq 0 ] || die 'needs root, to make a chroot'
for tool in debootstrap git chroot apt-get; do
  command -v $tool >/dev/null || die "$tool is missing; apt-get install debootstrap git"
done
# shellcheck disable=SC2086  # one or several words
[ -n "$(git ls-files $listed | head -n 1)" ] || die 'git tracks no file here; commit, or use --untracked'

# Every line that the host's apt would download package lists from: URI, release, component.
# shellcheck disable=SC2016  # apt's own variables
host_sources() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages'
}

sources="deb $mirror $suite main"
if [ -z "$mirror" ]; then
  sources=$(host_sources | awk -v suite="$suite" '
    ($2 == suite || $2 == suite "-updates" || $2 == suite "-security") && $3 == "main" { print "deb", $1, $2, $3 }' |
    sort -u)
  mirror=$(echo "$sources" | awk -v suite="$suite" '$3 == suite { print $2; exit }')
fi
if [ -z "$mirror" ]; then
  case $suite in
    jammy | noble) mirror=http://archive.ubuntu.com/ubuntu ;;
    bookworm | trixie) mirror=http://deb.debian.org/debian ;;
    *) die "the host's apt has no source for $suite; name one with --mirror" ;;
  esac
  sources=$(printf 'deb %s %s main\n' "$mirror" "$suite" "$mirror" "$suite-updates")
fi

# debootstrap has one recipe for all of Debian and one for all of Ubuntu, and knows only names older than itself.
case $mirror in
  *ubuntu*)
    recipe=gutsy
    sources=$(echo "$sources" | sed 's/ main$/ main universe/')
    ;;
  *) recipe=sid ;;
esac

if [ -z "$root" ]; then
  root=$(mktemp -d "${TMPDIR:-/tmp}/gradflip-fresh.XXXXXX")
else
  mkdir -p "$root"
  [ -z "$(ls -A "$root")" ] || die "$root is not empty"
fi
root=$(cd "$root" && pwd -P)

mounted=
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  for point in $mounted; do
    umount "$root/$point" || umount -l "$root/$point" || true
  done
  mounted=
  [ "$keep" -eq 0 ] || return 0
  # Deleting through a mount that is still there would delete the host's files.
  ! grep -q " $root/" /proc/mounts || die "something is still mounted in $root: not removed"
  rm -rf --one-file-system "$root"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mount_in() {
  if mount "$@" 2>/dev/null; then
    for point; do :; done
    mounted="${point#"$root"/} $mounted"
  else
    echo "fresh_machine.sh: mount $* is not permitted; going on without" >&2
  fi
}

seconds_since() {
  echo $(($(date +%s) - $1))
}

begin=$(date +%s)
debootstrap --variant=minbase "$suite" "$root" "$mirror" \
  "/usr/share/debootstrap/scripts/$recipe" >"$root.log" 2>&1 || {
  tail -n 20 "$root.log" >&2
  die "debootstrap failed; its output is in $root.log"
}
rm -f "$root.log"

echo "$sources" >"$root/etc/apt/sources.list"
cp -a /etc/apt/trusted.gpg.d/. "$root/etc/apt/trusted.gpg.d/"
# Proxies, retries and what a mirror needs; hooks of the host's programs have nothing to do there.
grep -ls '^ *Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* | while read -r file; do
  cp "$file" "$root/etc/apt/apt.conf.d/"
done
for file in /etc/resolv.conf /etc/hosts; do
  rm -f "$root$file"
  cp -L "$file" "$root$file"
done
mount_in -t proc proc "$root/proc"
mount_in --bind /dev "$root/dev"
mount_in --bind /dev/pts "$root/dev/pts"

mkdir "$root/gradflip"
# shellcheck disable=SC2016,SC2086  # expanded by the inner shell; one or several words
git ls-files -z $listed | xargs -0 -r sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
  tar --null --files-from=- -cf - | tar -xf - --no-same-owner -C "$root/gradflip"

report="$(printf '%6d s  ok      %s' "$(seconds_since "$begin")" "bare $suite")"
status=0
for script in $scripts; do
  begin=$(date +%s)
  result='ok'
  echo "fresh_machine.sh: $script on a bare $suite" >&2
  env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" sh -c "cd /gradflip && $script" || {
    status=$?
    result="exit $status"
  }
  report="$report
$(printf '%6d s  %-6s  %s' "$(seconds_since "$begin")" "$result" "$script")"
done

printf '%s\n' "$report"
exit "$status"
