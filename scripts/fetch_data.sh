#!/bin/sh
# Downloads the public data sets of the experiments and verifies every file; see --help.
# What each file must be is in mnist.sha256 and bsds500.sha256 beside this script.
set -euf

lists=$(CDPATH='' cd "$(dirname "$0")" && pwd)
mnist_hosts='https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist'
bsds500_commit=a04b7c6c3a9f0ace74bf205c72a43d32e1c72722
bsds500_hosts=https://raw.githubusercontent.com/BIDS/BSDS500/$bsds500_commit/BSDS500/data/images
mnist_hosts=${GRADFLIP_MNIST_URL:-$mnist_hosts}
bsds500_hosts=${GRADFLIP_BSDS500_URL:-$bsds500_hosts}

usage() {
  cat <<TEXT
usage: scripts/fetch_data.sh DIR [mnist] [bsds500]

Downloads data sets (both, if none is named) into DIR and verifies the SHA-256 of every file:

  mnist     DIR/mnist/*.gz                            70,000 handwritten digits, 12 MB
  bsds500   DIR/bsds500/{train,val,test}/*.jpg        500 photographs, 37 MB; for non-commercial
                                                      research and education only

Files that are right already are left alone, so running it again mends or completes a folder. A file
gets its name only once its sum is right; until then it is FILE.part, and a broken download goes on
from there. A file of the same name with other content is replaced.

Where to download from; one base URL, or several, tried in this order:
  GRADFLIP_MNIST_URL      now $mnist_hosts
  GRADFLIP_BSDS500_URL    now $bsds500_hosts

Exit codes: 0 done, 2 usage, 3 a host sends other data, 6 network or disk.
TEXT
}

say() {
  printf '%s\n' "$*" >&2
}

# die CODE TEXT
die() {
  code=$1
  shift
  say "fetch_data.sh: $*"
  exit "$code"
}

choose_tools() {
  for downloader in curl wget none; do
    ! command -v "$downloader" >/dev/null || break
  done
  [ "$downloader" != none ] || die 6 'neither curl nor wget here: install one of them'
  if command -v sha256sum >/dev/null; then
    sum_command=sha256sum
  elif command -v shasum >/dev/null; then
    sum_command='shasum -a 256'
  else
    die 6 'neither sha256sum nor shasum here: install one of them'
  fi
}

# sum_of FILE
sum_of() {
  $sum_command <"$1" | cut -d ' ' -f 1
}

# has_sum SUM FILE
has_sum() {
  [ -f "$2" ] && [ "$(sum_of "$2")" = "$1" ]
}

# size_of FILE: in bytes; 0 if it is not there.
size_of() {
  if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi
}

# make_folder FOLDER
make_folder() {
  reason=$(mkdir -p "$1" 2>&1) || die 6 "$reason; check permissions or choose another folder"
}

# settle SUM FILE: whether FILE is right and in place. Afterwards nothing wrong has its name.
settle() {
  if has_sum "$1" "$2"; then
    return 0
  elif has_sum "$1" "$2.part"; then
    mv -f "$2.part" "$2" 2>/dev/null || die 6 "$PWD/$2: cannot be written; check permissions"
    return 0
  fi
  if [ -h "$2" ]; then
    # Through a link, the download would write into a file elsewhere.
    rm -f "$2" 2>/dev/null
  elif [ -e "$2" ]; then
    # It may be the beginning of the right one.
    mv -f "$2" "$2.part" 2>/dev/null
  fi || die 6 "$PWD/$2: is not the published file and cannot be replaced; check permissions"
  return 1
}

# A host that is silent for so many seconds counts as gone.
connect_seconds=10
stall_seconds=30

curl_with_limits() {
  curl --fail --location --silent --show-error --connect-timeout $connect_seconds \
    --speed-limit 1 --speed-time $stall_seconds --retry 2 --retry-max-time 15 "$@"
}

# download URL FILE: continues FILE. Prints one line about a failure and returns its kind:
# 1 broken off, 2 refused by the host (asking the same again is futile), 3 the disk.
download() {
  code=0
  if [ "$downloader" = curl ]; then
    message=$(curl_with_limits --continue-at - --output "$2" --url "$1" 2>&1) || code=$?
    case $code in
      22 | 33 | 36) kind=2 ;;
      23) kind=3 ;;
      *) kind=1 ;;
    esac
  else
    message=$(wget -nv -t 1 -T $stall_seconds -c -O "$2" "$1" 2>&1) || code=$?
    case $code in
      8) kind=2 ;;
      3) kind=3 ;;
      *) kind=1 ;;
    esac
  fi
  [ "$code" -ne 0 ] || return 0
  printf '%s\n' "$message" | tail -n 1
  return $kind
}

# fetch SUM FILE VARIABLE HOST...: into place, from the first host that has it.
fetch() {
  sum=$1
  file=$2
  variable=$3
  shift 3
  wrong=
  for host in "$@"; do
    host=${host%/}
    restarted=0
    while :; do
      before=$(size_of "$file.part")
      kind=0
      reason=$(download "$host/$file" "$file.part") || kind=$?
      ! settle "$sum" "$file" || return 0
      case $kind in
        0)
          # Appended to what was here before, it would not be the host's fault.
          [ "$before" -gt 0 ] ||
            wrong="$host/$file is other data (SHA-256 $(sum_of "$file.part"), expected $sum)"
          rm -f "$file.part"
          ;;
        1)
          # Once more, as long as it gets any further.
          [ "$(size_of "$file.part")" -gt "$before" ] || break
          continue
          ;;
        2) ;;
        *) die 6 "$PWD/$file: cannot be written ($reason); check free space and permissions" ;;
      esac
      # Once from the beginning, without what was here before.
      if [ "$before" -eq 0 ] || [ $restarted -eq 1 ]; then break; fi
      restarted=1
      rm -f "$file.part"
    done
  done
  [ -z "$wrong" ] ||
    die 3 "$PWD/$file: $wrong; try again later, or name another host with $variable"
  die 6 "$PWD/$file: cannot be downloaded ($reason);" \
    "check the network and run this again to go on, or name another host with $variable"
}

# prefetch NAME HOST, reading lines "SUM FILE": downloads them to FILE.part over one connection, since a connection
# for each small file takes longer than the file. Only saves time: what fails here is left to fetch.
prefetch() {
  [ "$downloader" = curl ] || return 0
  while read -r sum file; do
    [ -e "$file.part" ] || printf 'url = "%s/%s"\noutput = "%s.part"\n' "${2%/}" "$file" "$file"
  done | curl_with_limits --fail-early --write-out '\n' --config - 2>/dev/null | {
    count=0
    while read -r _; do
      count=$((count + 1))
      [ $((count % 50)) -ne 0 ] || say "$1: $count files downloaded"
    done
  }
}

# fetch_set NAME VARIABLE HOST...
fetch_set() {
  name=$1
  shift
  list=$lists/$name.sha256
  [ -r "$list" ] || die 6 "$list: missing; it belongs beside this script"
  for subfolder in $(cut -c 67- <"$list" | sed -n 's,/[^/]*$,,p' | sort -u) .; do
    make_folder "$folder/$name/$subfolder"
  done
  cd "$folder/$name" || die 6 "$folder/$name: cannot be entered; check permissions"

  missing=$(while read -r sum file; do
    settle "$sum" "$file" || echo "$sum $file"
  done <"$list") || exit
  all=$(wc -l <"$list")
  if [ -n "$missing" ]; then
    wanted=$(echo "$missing" | wc -l)
    say "$name: downloading $((wanted)) of $((all)) files from $2"
    echo "$missing" | prefetch "$name" "$2"
    echo "$missing" | while read -r sum file; do
      settle "$sum" "$file" || fetch "$sum" "$file" "$@" || exit
    done || exit
  fi
  say "$name: $((all)) files in $folder/$name are right"
}

folder=
sets=
for argument in "$@"; do
  case $argument in
    --help | -h) usage && exit ;;
    -*) die 2 "unknown option $argument (see $0 --help)" ;;
  esac
  if [ -z "$folder" ]; then
    folder=$argument
    continue
  fi
  case $argument in
    mnist | bsds500) sets="$sets $argument" ;;
    *) die 2 "there is no data set $argument; choose mnist or bsds500 (see $0 --help)" ;;
  esac
done
[ -n "$folder" ] || die 2 "name the folder that takes the data (see $0 --help)"

choose_tools
make_folder "$folder"
folder=$(CDPATH='' cd "$folder" && pwd) || die 6 "$folder: cannot be entered; check permissions"
for set in ${sets:-mnist bsds500}; do
  # shellcheck disable=SC2086  # lists of words
  case $set in
    mnist) fetch_set mnist GRADFLIP_MNIST_URL $mnist_hosts ;;
    bsds500) fetch_set bsds500 GRADFLIP_BSDS500_URL $bsds500_hosts ;;
  esac
done
