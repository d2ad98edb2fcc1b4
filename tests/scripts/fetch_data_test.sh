#!/bin/sh
# fetch_data.sh against a server on this machine: it goes on with broken downloads, verifies what it gets, tries
# the next host, and never leaves a wrong file under its final name. The files are small; their lists are made here.
set -eu

here=$PWD/tests/scripts
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
log=$work/log
data="$work/a \"folder\""
original=$work/original
inverted=$work/inverted # the first file with other content of the same size
tools=$PATH
export no_proxy=127.0.0.1

fail() {
  echo "fetch_data_test: $case: $*" >&2
  [ ! -s "$work/messages" ] || sed 's/^/  said: /' "$work/messages" >&2
  [ ! -s "$log" ] || sed 's/^/  requested: /' "$log" >&2
  exit 1
}

# begin CASE: with an empty data folder.
begin() {
  case=$1
  rm -rf "$data"
}

# fetch CODE MODES ARGUMENT...: runs the script, expects the exit code; each word of MODES is one host.
fetch() {
  expected=$1
  hosts=
  for mode in $2; do
    hosts="$hosts $base/$mode"
  done
  shift 2
  : >"$log"
  code=0
  PATH=$tools GRADFLIP_MNIST_URL=$(echo "$hosts" | sed 's,[^ ][^ ]*,&/mnist,g') \
    GRADFLIP_BSDS500_URL=$(echo "$hosts" | sed 's,[^ ][^ ]*,&/bsds500/,g') \
    sh "$work/scripts/fetch_data.sh" "$@" >"$work/output" 2>"$work/messages" || code=$?
  [ "$code" -eq "$expected" ] || fail "exit code $code, expected $expected"
  [ ! -s "$work/output" ] || fail "stdout is not empty"
  errors=$(grep -c '^fetch_data.sh: ' "$work/messages" || true)
  if [ "$expected" -eq 0 ]; then
    [ "$errors" -eq 0 ] || fail 'an error message without an error'
  else
    [ "$errors" -eq 1 ] || fail 'expected one line of error'
    tail -n 1 "$work/messages" | grep -q '^fetch_data.sh: ' || fail 'the error is not the last line'
  fi
  for file in $all_files; do
    # Whatever happened, nothing wrong has the final name.
    [ ! -e "$data/$file" ] || cmp -s "$original/$file" "$data/$file" || fail "$file is wrong"
  done
}

says() {
  tail -n 1 "$work/messages" | grep -qF -- "$1" || fail "the message does not say: $1"
}

# has FILE...: the data folder holds these files and nothing else.
has() {
  found=$(cd "$data" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort | tr '\n' ' ')
  [ "$found" = "$(printf '%s\n' "$@" | LC_ALL=C sort | tr '\n' ' ')" ] || fail "the folder holds: $found"
}

# requested COUNT PATTERN: that many requests match.
requested() {
  count=$(grep -c -- "$2" "$log" || true)
  [ "$count" -eq "$1" ] || fail "$count requests match '$2', expected $1"
}

images=mnist/train-images-idx3-ubyte.gz
labels=mnist/train-labels-idx1-ubyte.gz
photos='bsds500/test/1.jpg bsds500/train/2.jpg bsds500/train/3.jpg bsds500/val/4.jpg'
all_files="$images $labels $photos"

mkdir "$work/scripts"
cp scripts/fetch_data.sh "$work/scripts/"
# shellcheck disable=SC2086  # a list of words
python3 - "$original" "$inverted" $all_files <<'PYTHON'
import pathlib, random, sys

original, inverted, *files = sys.argv[1:]
for size, name in enumerate(files, 2500):
    content = random.Random(name).randbytes(size)
    path = pathlib.Path(original, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if name == files[0]:
        pathlib.Path(inverted).write_bytes(bytes(255 - byte for byte in content))
PYTHON
for set in mnist bsds500; do
  (cd "$original/$set" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort | xargs sha256sum) >"$work/scripts/$set.sha256"
done

case=start
mkfifo "$work/port"
python3 "$here/range_server.py" "$original" "$log" >"$work/port" &
server=$!
read -r port <"$work/port"
base=http://127.0.0.1:$port

# shellcheck disable=SC2086  # lists of words, here and below
{
  begin 'all is well'
  fetch 0 good "$data"
  has $all_files
  requested 6 ' - '
  [ "$(grep bsds500 "$log" | sed 's/.* //' | sort -u | wc -l)" -eq 1 ] || fail 'more than one connection'

  case='nothing to do'
  fetch 0 good "$data"
  requested 0 .

  case='one file is missing'
  rm "$data/$labels"
  fetch 0 good "$data"
  requested 1 .
  has $all_files

  begin 'one set'
  fetch 0 good "$data" bsds500
  has $photos

  begin 'connections break'
  fetch 0 chunks "$data"
  has $all_files
  requested 1 "$images bytes=1000-"
  requested 1 "$images bytes=2000-"

  begin 'a download breaks off for good'
  fetch 6 stuck "$data" mnist
  says "$data/$images: cannot be downloaded"
  says GRADFLIP_MNIST_URL
  has "$images.part"
  case='and goes on later'
  fetch 0 good "$data" mnist
  has "$images" "$labels"
  requested 1 "$images bytes=1000-"
  requested 2 .

  begin 'a complete download without its name'
  mkdir -p "$data/mnist"
  cp "$original/$images" "$data/$images.part"
  fetch 0 good "$data" mnist
  requested 0 "$images"

  begin 'the host sends other data'
  fetch 3 wrong "$data" mnist
  says "/wrong/$images is other data"
  says "expected $(sha256sum <"$original/$images" | cut -d ' ' -f 1)"
  [ ! -e "$data/$images.part" ] || fail 'the other data was kept'
  case='and is mended'
  fetch 0 good "$data" mnist
  has "$images" "$labels"

  begin 'the first host lacks the files, the second sends other data'
  fetch 0 'good/nothing wrong good' "$data"
  has $all_files

  begin 'no host has the files'
  fetch 6 'good/nothing good/neither' "$data" bsds500
  says 404
  says GRADFLIP_BSDS500_URL

  begin 'the host is gone'
  kept=$base
  base=http://127.0.0.1:1
  fetch 6 good "$data" mnist
  says "$data/$images: cannot be downloaded"
  base=$kept

  begin 'a wrong file has the final name'
  fetch 0 good "$data"
  cp "$inverted" "$data/$images"
  fetch 6 good/nothing "$data"
  [ ! -e "$data/$images" ] || fail 'it is still there'
  fetch 0 good "$data"
  has $all_files

  case='a cut file has the final name'
  head -c 700 "$original/$images" >"$data/$images"
  fetch 0 good "$data"
  requested 1 "$images bytes=700-"
  has $all_files

  case='what was downloaded before is wrong'
  rm "$data/$images" "$data/$labels"
  head -c 800 "$inverted" >"$data/$images.part"
  cat "$original/$labels" "$original/$labels" >"$data/$labels.part"
  fetch 0 good "$data"
  has $all_files

  case='the host ignores ranges'
  rm "$data/$images"
  head -c 700 "$original/$images" >"$data/$images.part"
  fetch 0 whole "$data"
  has $all_files

  case='the final name is a link to something else'
  head -c 700 "$inverted" >"$work/elsewhere"
  ln -sf "$work/elsewhere" "$data/$images"
  fetch 0 good "$data"
  has $all_files
  head -c 700 "$inverted" | cmp -s - "$work/elsewhere" || fail 'it wrote through the link'

  begin 'the folder cannot be made'
  : >"$work/file"
  fetch 6 good "$work/file/folder"
  says "$work/file"

  begin 'a folder has the name of a download'
  mkdir -p "$data/$images.part"
  fetch 6 good "$data" mnist
  says "$data/$images: cannot be written"

  case=usage
  fetch 2 good
  fetch 2 good --no-such-option
  says --no-such-option
  fetch 2 good "$data" imagenet
  says imagenet
  help=$(sh "$work/scripts/fetch_data.sh" --help)
  for word in DIR GRADFLIP_MNIST_URL GRADFLIP_BSDS500_URL; do
    case $help in *"$word"*) ;; *) fail "--help does not mention $word" ;; esac
  done

  # wget is what remains where there is no curl; it need not be on this machine.
  if command -v wget >/dev/null; then
    mkdir "$work/bin"
    for tool in sh cat cut dirname mkdir mv rm sed sha256sum sort tail wc wget; do
      ln -s "$(command -v $tool)" "$work/bin/$tool"
    done
    tools=$work/bin
    for mode in good chunks whole 'good/nothing good'; do
      begin "wget: $mode"
      mkdir -p "$data/mnist"
      head -c 700 "$original/$images" >"$data/$images.part"
      fetch 0 "$mode" "$data"
      has $all_files
    done
    begin 'wget: the host sends other data'
    fetch 3 wrong "$data" mnist
  fi
}

case='the lists in the tree'
: >"$log"
: >"$work/messages"
for list in mnist.sha256 bsds500.sha256; do
  ! grep -vnE '^[0-9a-f]{64}  [-a-z0-9/]+\.(gz|jpg)$' "scripts/$list" || fail "$list has a malformed line"
  [ -z "$(cut -c 67- "scripts/$list" | sort | uniq -d)" ] || fail "$list names a file twice"
done
parts=$(cut -c 67- scripts/bsds500.sha256 | cut -d / -f 1 | sort | uniq -c | tr -s ' \n' ' ')
[ "$parts" = ' 200 test 200 train 100 val ' ] || fail "bsds500.sha256 has$parts"
if [ -n "${GRADFLIP_DATA:-}" ]; then
  for set in mnist bsds500; do
    (cd "$GRADFLIP_DATA/$set" && sha256sum --quiet -c "$here/../../scripts/$set.sha256") ||
      fail "$set.sha256 does not agree with $GRADFLIP_DATA"
  done
fi
