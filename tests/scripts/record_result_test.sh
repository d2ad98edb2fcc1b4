#!/bin/sh
# record_result.sh keeps command, machine and result, hides the data folder's path, and keeps an old file when the
# command fails.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
file=$folder/result.json

fail() {
  echo "record_result_test: $*" >&2
  exit 1
}

cat >"$folder/program" <<'PROGRAM'
#!/bin/sh
printf '{"device": "%s", "config": {"source": "%s"}, "options": "%s"}\n' "${DEVICE:-cpu}" "$2" "$*"
exit "${PROGRAM_EXIT:-0}"
PROGRAM
chmod +x "$folder/program"

# field EXPRESSION: of the recorded document d.
field() {
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($1)" "$file"
}

GRADFLIP_DATA=/some/data/ scripts/record_result.sh "$file" "$folder/program" --source '/some/data/a b' 2>/dev/null
[ "$(field 'd["result"]["options"]')" = "--source \$GRADFLIP_DATA/a b --json" ] || fail 'the options are wrong'
[ "$(field 'd["result"]["config"]["source"]')" = "\$GRADFLIP_DATA/a b" ] || fail 'the path is not hidden'
[ "$(field 'd["command"]')" = "$folder/program --source '\$GRADFLIP_DATA/a b' --json" ] || fail 'the command is wrong'
field 'd["machine"]' | grep -q 'cores$' || fail 'no machine'
field 'd["date"]' | grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' || fail 'no date'

# The machine of a run on a GPU is the GPU.
printf '#!/bin/sh\necho Some GPU\n' >"$folder/nvidia-smi"
chmod +x "$folder/nvidia-smi"
for device in cpu 'Some GPU'; do
  DEVICE=$device PATH=$folder:$PATH scripts/record_result.sh "$file" "$folder/program" --source x 2>/dev/null
  machine=$(field 'd["machine"]')
  [ "$device" = cpu ] || [ "$machine" = "$device" ] || fail "the machine of a run on $device is $machine"
  [ "$device" != cpu ] || [ "$machine" != 'Some GPU' ] || fail 'a run on the CPU has the GPU as its machine'
done
rm "$folder/nvidia-smi"

before=$(cksum "$file")
code=0
written=$(PROGRAM_EXIT=3 scripts/record_result.sh "$file" "$folder/program" --source x 2>/dev/null) || code=$?
[ "$code" -eq 3 ] || fail 'a failed command is not an error'
echo "$written" | grep -q '"device": "cpu"' || fail 'what a failed command wrote is lost'
[ "$(cksum "$file")" = "$before" ] || fail 'a failed command changed the file'
[ "$(find "$folder" -type f | wc -l)" -eq 2 ] || fail 'files were left behind'

code=0
scripts/record_result.sh "$file" 2>/dev/null || code=$?
[ "$code" -eq 2 ] || fail 'a missing command is not a usage error'
