#!/bin/sh
# Installs what is missing, builds, and trains on the built-in data.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh
. scripts/cuda_choice.sh
. scripts/build_progress.sh

usage() {
  cat <<TEXT
usage: ./demo.sh [--no-install] [--cuda | --cpu] [-- OPTION...]

Installs missing Debian/Ubuntu packages, builds gradflip and trains on its built-in data. The CUDA
backend is built where there are an NVIDIA driver and a CUDA toolkit (12 or later), for the GPUs of
this machine.

  --no-install   install nothing
  --cuda         build the CUDA backend whether there is a GPU or not; without one, for every GPU
                 from compute capability 8.0 on, which takes several times as long
  --cpu          build without the CUDA backend
  --help         show this text
  -- OPTION...   passed on to dann_mnist, for example: ./demo.sh -- --epochs 2
                 (all of them: build/release/bin/dann_mnist --help)
TEXT
}

install=1
cuda=auto
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --cuda | --cpu)
      [ "$cuda" = auto ] || [ "$cuda" = "${1#--}" ] || usage_error '--cuda and --cpu exclude each other'
      cuda=${1#--}
      ;;
    --help | -h) usage && exit ;;
    --) shift && break ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

build=build/release
options=$(choose_cuda "$cuda" "$build")
# Tests need packages of their own. Who has configured them keeps them: nothing would be saved by taking them away.
[ -e "$build/build.ninja" ] || options="$options -DGRADFLIP_TESTS=OFF"

# shellcheck disable=SC2086  # lists of words
{
  [ "$install" -eq 0 ] || install_packages $GRADFLIP_BUILD_PACKAGES
  configure release $options
}
jobs=$(build_jobs "$GRADFLIP_MIB_PER_JOB")
[ -e "$build/bin/dann_mnist" ] || say "Building takes some six minutes of one core, here shared by $jobs compilers;" \
  "with CUDA kernels several times that."
build_with_progress cmake --build --preset release --parallel "$jobs" --target dann_mnist gradflip
run "$build/bin/dann_mnist" --data builtin "$@"
