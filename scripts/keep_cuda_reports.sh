#!/bin/sh
# In front of nvcc (CMAKE_CUDA_COMPILER_LAUNCHER): keeps beside each object what scripts/check_cuda_code.py --build reads,
# the PTX (OBJECT.kept/*.ptx) and what ptxas says of each kernel (OBJECT.kept/ptxas.txt), so that nothing is compiled
# a second time to be checked.
set -eu

object=
previous=
for word in "$@"; do
  [ "$previous" != -o ] || object=$word
  previous=$word
done
case $object in
  *.cu.o) ;;
  *) exec "$@" ;;
esac

kept=$object.kept
rm -rf "$kept"
mkdir -p "$kept"
result=0
"$@" --keep --keep-dir "$kept" -Xptxas=-v 2>"$kept/ptxas.txt" || result=$?
# Warnings and errors go on to the reader of the build's output.
grep -v -e '^ptxas info ' -e '^ *[0-9]* bytes stack frame, ' "$kept/ptxas.txt" >&2 || :
find "$kept" -type f ! -name '*.ptx' ! -name ptxas.txt -delete
[ "$result" -eq 0 ] || rm -rf "$kept"
exit "$result"
