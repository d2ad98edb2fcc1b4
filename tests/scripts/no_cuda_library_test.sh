#!/bin/sh
# usage: no_cuda_library_test.sh PROGRAM...
# A program must start where there is neither a CUDA toolkit nor a driver: it may load no library of either.
set -eu
for program in "$@"; do
  libraries=$(ldd "$program")
  if echo "$libraries" | grep -i -E 'cuda|cudnn|cublas|nvrtc|nvidia|not found'; then
    echo "$program needs the libraries above to start" >&2
    exit 1
  fi
done
