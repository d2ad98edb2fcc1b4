#!/bin/sh
# Whether demo.sh builds the CUDA backend, with stand-ins for the driver's nvidia-smi and the toolkit's nvcc.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export folder
mkdir -p "$folder/bin" "$folder/root"
PATH=$folder/bin:$PATH

# gpus TEXT: what nvidia-smi says; without TEXT there is no driver for it to ask.
gpus() {
  printf '%s' "${1:-}" >"$folder/gpus"
}

# toolkit RELEASE NUMBER...: an nvcc that knows these architectures.
toolkit() {
  printf '%s' "$1" >"$folder/release"
  shift
  printf 'compute_%s\n' "$@" >"$folder/architectures"
}

# shellcheck disable=SC2016  # expanded by the stand-ins
{
  printf '#!/bin/sh\n%s\n' '[ -s "$folder/gpus" ] || { echo "NVIDIA-SMI has failed"; exit 9; }
case $* in *--query-gpu=compute_cap*--format=csv,noheader*) cat "$folder/gpus" ;; *) exit 2 ;; esac' \
    >"$folder/bin/nvidia-smi"
  printf '#!/bin/sh\n%s\n' 'case $1 in
  --version) echo "Cuda compilation tools, release $(cat "$folder/release"), V0" ;;
  --list-gpu-arch) cat "$folder/architectures" ;;
esac' >"$folder/nvcc"
}
chmod +x "$folder/bin/nvidia-smi" "$folder/nvcc"
CUDACXX=$folder/nvcc
export CUDACXX

# choose WISH: what choose_cuda prints for a build folder; its notes go to $folder/notes.
choose() {
  sh -c '. scripts/setup.sh; . scripts/cuda_choice.sh; nvidia_root=$folder/root; choose_cuda "$@"' demo.sh \
    "$1" "$folder/build" 2>"$folder/notes"
}

# expect WISH OPTIONS WHAT [NOTE]: the choice, and a line on stderr with NOTE in it, or none.
expect() {
  chosen=$(choose "$1") || fail "$3: exit code $?"
  [ "$chosen" = "$2" ] || fail "$3: chose \"$chosen\", expected \"$2\""
  if [ $# -gt 3 ]; then
    [ "$(wc -l <"$folder/notes")" -eq 1 ] || fail "$3: not one line"
    grep -q -F -- "$4" "$folder/notes" || fail "$3: the note lacks \"$4\""
  else
    [ ! -s "$folder/notes" ] || fail "$3: there is a note"
  fi
}

fail() {
  echo "cuda_choice_test: $*" >&2
  sed 's/^/  /' "$folder/notes" >&2
  exit 1
}

off=-DGRADFLIP_CUDA=OFF
on=-DGRADFLIP_CUDA=ON
toolkit 13.0 75 80 86 89 90 100 110 103 120

gpus '8.9
'
expect auto "$on -DCMAKE_CUDA_ARCHITECTURES=89-real" 'a driver and a toolkit'
expect cuda "$on -DCMAKE_CUDA_ARCHITECTURES=89-real" 'a driver and a toolkit, --cuda'
expect cpu $off 'a driver and a toolkit, --cpu'
gpus '9.0
9.0
12.0
'
expect auto "$on -DCMAKE_CUDA_ARCHITECTURES=120-real;90a-real" 'three GPUs of two kinds'
gpus '7.5
8.6
'
expect auto "$on -DCMAKE_CUDA_ARCHITECTURES=86-real" 'a GPU that is too old beside one that is not'
gpus '7.5
'
expect auto $off 'a GPU that is too old' 'compute capability 7.5, too old'

toolkit 12.4 50 80 86 89 90
gpus '12.0
'
expect auto "$on -DCMAKE_CUDA_ARCHITECTURES=90-virtual" 'a GPU that is newer than the toolkit'

gpus
expect auto $off 'a toolkit alone'
expect cuda $on 'a toolkit alone, --cuda'
for trace in proc/driver/nvidia/version dev/nvidia0 usr/lib/wsl/lib/libcuda.so.1; do
  mkdir -p "$folder/root/$(dirname $trace)"
  : >"$folder/root/$trace"
  expect auto '-DGRADFLIP_CUDA=AUTO -DCMAKE_CUDA_ARCHITECTURES=native' "no answer from nvidia-smi, but /$trace"
  expect cuda "$on" "no answer from nvidia-smi, but /$trace, --cuda"
  rm -r "$folder/root"
done

# An old toolkit counts as none, one that is not there too.
toolkit 11.8 80 86
for nvcc in "$folder/nvcc" "$folder/absent"; do
  CUDACXX=$nvcc
  gpus '8.9
'
  expect auto $off 'a driver alone' 'no CUDA toolkit of version 12 or later'
  gpus
  expect auto $off 'neither driver nor toolkit'
  expect cpu $off 'neither driver nor toolkit, --cpu'
  code=0
  chosen=$(choose cuda) || code=$?
  [ "$code" -eq 1 ] || fail "--cuda without a toolkit: exit code $code, expected 1"
  [ "$(wc -l <"$folder/notes")" -eq 1 ] || fail '--cuda without a toolkit: not one line'
  grep -q '^demo.sh: --cuda: .*install one' "$folder/notes" || fail '--cuda without a toolkit: no remedy'
done

# What lies there with CUDA kernels stays as it is, if it runs on the GPU that is here.
CUDACXX=$folder/nvcc
toolkit 13.0 80 89 90 120
mkdir -p "$folder/build/kernels"
: >"$folder/add.cu.o"
ar rc "$folder/build/kernels/libgradflip_kernels.a" "$folder/add.cu.o"
echo 'GRADFLIP_BUILT_WITH_CUDA:INTERNAL=1' >"$folder/build/CMakeCache.txt"
expect auto '' 'built with CUDA, no GPU'
gpus '8.9
'
expect auto $on 'built for every GPU'
echo 'CMAKE_CUDA_ARCHITECTURES:UNINITIALIZED=89-real' >>"$folder/build/CMakeCache.txt"
expect auto $on 'built for this GPU'
gpus '12.0
'
expect auto "$on -DCMAKE_CUDA_ARCHITECTURES=120-real" 'built for another GPU'
gpus
rm "$folder/build/kernels/libgradflip_kernels.a"
expect auto $off 'configured with CUDA, but not built'
