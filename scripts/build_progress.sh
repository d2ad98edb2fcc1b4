# shellcheck shell=sh
# Sourced by demo.sh after setup.sh: a build that shows how far it is on one line of a terminal, and in a few lines elsewhere.

# Files finished, files in all, percent, seconds.
GRADFLIP_BUILD_STATUS='building %f of %t (%p, %es): '

# build_with_progress COMMAND...: runs a build by Ninja, whose status line is rewritten in place on a terminal. Elsewhere
# (a log) every tenth of the way is a line. Warnings and errors are shown in full on both; everything goes to stderr.
build_with_progress() {
  say "\$ $*"
  if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    NINJA_STATUS=$GRADFLIP_BUILD_STATUS "$@" >&2
    return
  fi
  build_result=$({
    {
      build_code=0
      NINJA_STATUS=$GRADFLIP_BUILD_STATUS "$@" 2>&1 3>&- || build_code=$?
      echo "$build_code" >&3
    } | every_tenth >&2
  } 3>&1)
  return "$build_result"
}

# every_tenth: of the lines that begin with the status, those at which another tenth of the way is done and the last;
# every other line.
every_tenth() {
  shown=0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      'building '*' of '*' ('*%*'): '*)
        percent=${line#* (}
        percent=${percent%%\%*}
        percent=${percent##* }
        if [ "$((percent / 10))" -gt "$shown" ]; then
          shown=$((percent / 10))
          printf '%s\n' "${line%%): *})"
        fi
        ;;
      'ninja: no work to do.') printf '%s\n' 'nothing to build' ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}
