#!/bin/sh
# Every script parses as POSIX sh; demo.sh and test.sh explain themselves and refuse what they do not know.
set -eu

fail() {
  echo "options_test: $*" >&2
  exit 1
}

for script in demo.sh test.sh .ci/run scripts/*.sh tests/scripts/*.sh; do
  sh -n "$script" || fail "$script does not parse"
done

for script in ./demo.sh ./test.sh; do
  help=$($script --help) || fail "$script --help failed"
  for option in --no-install --cpu --help; do
    case $help in
      *"$option"*) ;;
      *) fail "$script --help does not mention $option" ;;
    esac
  done

  code=0
  message=$($script --no-such-option 2>&1) || code=$?
  [ "$code" -eq 2 ] || fail "$script --no-such-option: exit code $code, expected 2"
  [ "$(echo "$message" | wc -l)" -eq 1 ] || fail "$script --no-such-option: more than one line: $message"
  case $message in
    *--no-such-option*) ;;
    *) fail "$script does not name the option it refuses: $message" ;;
  esac
done

case $(./demo.sh --help) in
  *--cuda*) ;;
  *) fail './demo.sh --help does not mention --cuda' ;;
esac
code=0
message=$(./demo.sh --cuda --cpu 2>&1) || code=$?
[ "$code" -eq 2 ] || fail "./demo.sh --cuda --cpu: exit code $code, expected 2"
case $message in
  *'--cuda and --cpu exclude each other'*) ;;
  *) fail "./demo.sh --cuda --cpu: $message" ;;
esac
