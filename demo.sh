#!/bin/sh
# Installs what is missing, builds, and trains on the built-in data.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh

usage() {
  cat <<TEXT
usage: ./demo.sh [--no-install] [--cpu] [-- OPTION...]

Installs missing Debian/Ubuntu packages, builds gradflip and trains on its built-in data.

  --no-install   install nothing
  --cpu          build without the CUDA backend, whether there is a CUDA toolkit or not
  --help         show this text
  -- OPTION...   passed on to dann_mnist, for example: ./demo.sh -- --epochs 2
                 (all of them: build/release/bin/dann_mnist --help)
TEXT
}

install=1
cuda=AUTO
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --cpu) cuda=OFF ;;
    --help | -h) usage && exit ;;
    --) shift && break ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

# shellcheck disable=SC2086  # a list of words
[ "$install" -eq 0 ] || install_packages $GRADFLIP_BUILD_PACKAGES
configure release -DGRADFLIP_CUDA=$cuda -DGRADFLIP_TESTS=OFF
run cmake --build --preset release --parallel "$(build_jobs "$GRADFLIP_MIB_PER_JOB")" >&2
run build/release/bin/dann_mnist --data builtin "$@"
