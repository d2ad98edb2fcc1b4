#!/bin/sh
# What a build shows in a log: every tenth of the way, whatever else is said in full, and how it ended.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A build of 40 files with a warning behind the 13th: each %-sign of NINJA_STATUS as Ninja replaces it.
cat >"$folder/build" <<'TEXT'
#!/bin/sh
for i in $(seq 40); do
  status=$(printf '%s' "$NINJA_STATUS" | sed "s/%f/$i/; s/%t/40/; s/%p/$(printf '%3d%%' $((i * 100 / 40)))/; s/%e/$i.5/")
  echo "${status}Building CXX object kernels/file $i.cpp.o"
  [ "$i" -ne 13 ] || printf '%s\n' 'a.cpp:1:2: warning: 100% \n of (it): "x"' '    1 | int x;'
done
exit "$1"
TEXT
chmod +x "$folder/build"

fail() {
  echo "build_progress_test: $*" >&2
  sed 's/^/  /' "$folder/log" >&2
  exit 1
}

build() {
  sh -c 'set -eu; . scripts/setup.sh; . scripts/build_progress.sh; build_with_progress "$@"; echo results' demo.sh "$@" \
    >"$folder/stdout" 2>"$folder/log"
}

build "$folder/build" 0 || fail "a build that succeeds: exit code $?"
[ "$(cat "$folder/stdout")" = results ] || fail "stdout has something of the build: $(cat "$folder/stdout")"
[ "$(grep -c '^building ' "$folder/log")" -eq 10 ] || fail 'not a line for every tenth'
grep -q '^building 4 of 40 ( 10%, 4.5s)$' "$folder/log" || fail 'no line for the first tenth'
tail -n 1 "$folder/log" | grep -q '^building 40 of 40 (100%, 40.5s)$' || fail 'the last line is not that of the end'
grep -q -F 'a.cpp:1:2: warning: 100% \n of (it): "x"' "$folder/log" || fail 'a warning is not shown as it is'
grep -q '^    1 | int x;$' "$folder/log" || fail "a warning's second line is not shown as it is"
[ "$(head -n 1 "$folder/log")" = "\$ $folder/build 0" ] || fail 'the command is not shown'
[ "$(wc -l <"$folder/log")" -eq 13 ] || fail 'there are other lines'

code=0
build "$folder/build" 7 || code=$?
[ "$code" -eq 7 ] || fail "a build that fails with 7: exit code $code"
[ ! -s "$folder/stdout" ] || fail 'a failed build is gone on from'
