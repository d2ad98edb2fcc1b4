#!/bin/sh
# record_recipes.sh on a program that trains nothing: what it runs, that it goes on where it was stopped, and --list.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bin" "$folder/invert"

fail() {
  echo "record_recipes_test: $*" >&2
  exit 1
}

cat >"$folder/bin/dann_mnist" <<'PROGRAM'
#!/bin/sh
echo "$*" >>"$(dirname "$0")/calls"
case "$*" in *"$(cat "$(dirname "$0")/fails" 2>/dev/null || echo nothing)"*) exit 3 ;; esac
printf '{"device": "cpu"}\n'
PROGRAM
chmod +x "$folder/bin/dann_mnist"
: >"$folder/bin/calls"

record() {
  GRADFLIP_DATA=/sets GRADFLIP_BIN=$folder/bin GRADFLIP_INVERT=$folder/invert \
    scripts/record_recipes.sh "$@" 2>&1
}
calls() { wc -l <"$folder/bin/calls"; }

all=$(record --list "$folder/records" | wc -l)
[ "$all" -gt 15 ] || fail "only $all runs are listed"
[ "$(calls)" -eq 0 ] || fail '--list runs something'

# It stops at a run that fails, and goes on there.
echo '--seed 2' >"$folder/bin/fails"
if record "$folder/records" jvanvugt-adda >/dev/null; then fail 'a run failed, and nothing says so'; fi
[ "$(ls "$folder/records")" = jvanvugt-adda-invert-seed1.json ] || fail "after a failure there is: $(ls "$folder/records")"
rm "$folder/bin/fails"
record "$folder/records" jvanvugt-adda >/dev/null
[ "$(calls)" -eq 5 ] || fail "$(calls) calls instead of 5: one failed, one was there"
[ "$(record --list "$folder/records" | wc -l)" -eq $((all - 4)) ] || fail 'what is there is listed'
record "$folder/records" jvanvugt-adda >/dev/null
[ "$(calls)" -eq 5 ] || fail 'what is there is run again'

sed -n 1p "$folder/bin/calls" | grep -q -- \
  "--source /sets/mnist --target /sets/mnistm --target-test $folder/invert --preset jvanvugt-adda --mode adda --seed 1" ||
  fail "the command is $(sed -n 1p "$folder/bin/calls")"
grep -q -- '--photos /sets/bsds500 --blend difference --preset jvanvugt-adda --mode adda --seed 1' "$folder/bin/calls" ||
  fail 'nothing ran on difference'
