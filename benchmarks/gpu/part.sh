#!/bin/sh
# One part of run_on_gpu.sh, which calls it under limited.sh:
#   benchmarks/gpu/part.sh build|tests|steps|peer|verify|paper|profile|kernels|sanitizers
# GPU_BUILD is the build folder, GPU_PACK what pack_for_gpu.sh made (or nothing), GPU_WORK where each part has a folder,
# GPU_LIMIT how many seconds the part has. A row counts when it stands in its file: a part may end at any time.
# Exit code 77: something that the part needs is not on this machine; WORK/PART/why says what.
set -u
cd "$(dirname "$0")/../.." || exit 6
build=$GPU_BUILD
pack=$GPU_PACK
work=$GPU_WORK
bin=$build/bin
limit=${GPU_LIMIT:-60}

targets='kernels_test runtime_test models_test allocation_test step_bench kernel_bench dann_mnist
  cublas_cross_check_test cudnn_cross_check_test'

# lacks PART TEXT: for the report, what this machine does not have.
lacks() {
  echo "$2"
  echo "$2" >"$work/$1/why"
}

# not_run PART TEXT: returns how a part ends that cannot run without it.
not_run() {
  lacks "$@"
  return 77
}

is_target() {
  ninja -C "$build" -t query "$1" >/dev/null 2>&1
}

# Folders with cuBLAS or cuDNN that came with a Python package.
vendor_roots() {
  python3 -c 'import nvidia, glob
print(";".join(sorted(glob.glob(list(nvidia.__path__)[0] + "/*/"))))' 2>/dev/null
}

configure() {
  set -- -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DGRADFLIP_CUDA=ON -DGRADFLIP_TESTS=ON \
    -DGRADFLIP_APPS=ON -DGRADFLIP_BENCHMARKS=ON "-DGRADFLIP_VENDOR_ROOTS=$(vendor_roots)"
  if [ -n "$pack" ]; then
    # Another machine's compilers may warn of something new, which must not cost the whole call; its CMake may find the
    # packages' files too old.
    set -- -C "$pack/packages.cmake" "$@" "-DGRADFLIP_COMMIT=$GPU_COMMIT" -DCMAKE_CXX_FLAGS=-w \
      -DCMAKE_CUDA_FLAGS=-Xcompiler=-w -DGRADFLIP_CUDA_WARNINGS_ARE_ERRORS=OFF -DCMAKE_POLICY_VERSION_MINIMUM=3.5
  fi
  if [ -n "$GPU_ARCHITECTURE" ]; then
    set -- "$@" "-DCMAKE_CUDA_ARCHITECTURES=$GPU_ARCHITECTURE"
  else
    set -- "$@" -UCMAKE_CUDA_ARCHITECTURES  # the project's own, whatever the folder was built for before
  fi
  ! command -v ccache >/dev/null || set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  cmake "$@"
}

# Some targets exist only where a library does, and one that ninja does not know would keep it from building any.
compile() {
  known=
  for target in $targets; do
    if is_target "$target"; then
      known="$known $target"
    else
      echo "there is no target $target here"
    fi
  done
  # shellcheck disable=SC2086  # a list of words
  ninja -C "$build" -k 0 -j "$(nproc)" $known
}

build() {
  configure && compile
}

# row OUTPUT COMMAND...: one JSON document, as a line of OUTPUT.
row() {
  output=$1
  shift
  one=$output.part
  if ! "$@" >"$one"; then
    echo "failed: $*"
    return 1
  elif [ ! -s "$one" ]; then
    echo "wrote nothing: $*"
    return 1
  fi
  tr -d '\n' <"$one" >>"$output"
  echo >>"$output"
}

step_row() {
  row "$work/steps/rows.jsonl" timeout --kill-after=3 20 "$bin/step_bench" --device cuda --seconds 1 --json "$@"
}

steps() {
  status=0
  for batch in 128 1024 4096; do
    for precision in tf32 bf16 f32 tf32x3; do
      step_row --mode both --batch $batch --precision $precision || status=1
    done
    step_row --mode infer --batch $batch --precision tf32 || status=1
  done
  return $status
}

paper() {
  data=${pack:+$pack/data}
  [ -d "${data:-}" ] || data=${GRADFLIP_DATA:-}
  [ -d "${data:-}" ] || not_run paper "no data: pack_for_gpu.sh takes it from \$GRADFLIP_DATA" || return
  "$bin/dann_mnist" --source "$data/mnist" --photos "$data/bsds500" --blend difference --preset paper --seeds 3 \
    --device cuda --precision tf32 --json >"$work/paper/paper.json" || return
  [ -s "$work/paper/paper.json" ] || { echo 'wrote nothing' && return 1; }
}

# Each launch of a step in a replayed graph of its own; then the hardware's counters, of the second and third step.
profile() {
  status=0
  for options in '--batch 128 --precision tf32' '--batch 128 --precision bf16' '--batch 4096 --precision tf32'; do
    # shellcheck disable=SC2086  # a list of words
    row "$work/profile/rows.jsonl" timeout --kill-after=3 20 "$bin/step_bench" --device cuda --mode dann $options \
      --seconds 0.3 --profile --json || status=1
  done
  profiler=$(command -v ncu || echo "${CUDA_HOME:-/usr/local/cuda}/bin/ncu")
  [ -x "$profiler" ] || { lacks profile 'no counters: ncu is not installed' && return $status; }
  for batch in 128 4096; do
    timeout --kill-after=3 20 "$profiler" --clock-control none --cache-control none --graph-profiling node \
      --launch-skip 9 --launch-count 18 --section SpeedOfLight --section SchedulerStats --section WarpStateStats \
      --section LaunchStats --section Occupancy "$bin/step_bench" --device cuda --mode dann --batch $batch \
      --precision tf32 --seconds 0.1 || status=1
  done
  return $status
}

# In groups, the most wanted first, each row written when it is there; cuDNN's search takes longest, and at 4096 by far.
kernels() {
  status=0
  index=0
  while read -r batches filter; do
    index=$((index + 1))
    "$bin/kernel_bench" --device cuda --batches "$batches" --benchmark_min_time=0.02 "--benchmark_filter=$filter" \
      --json "$work/kernels/rows-$index.json" </dev/null || status=1
    [ -s "$work/kernels/rows-$index.json" ] || { echo 'wrote nothing' && status=1; }
  done <<'GROUPS'
128,4096 ^(conv_block|sampled|heads|training).*gradflip
128 ^(linear|merge|grl)
128 ^conv_block.*cuDNN
4096 ^(linear|merge|grl)
128,4096 ^(softmax|bce|sgd|adam|average|gradient_norm|gather|conv2d[a-z_]*/conv.*gradflip)
4096 ^conv_block.*cuDNN
GROUPS
  return $status
}

has_torch() {
  rm -f "$work/peer/why"
  python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null ||
    not_run peer 'python3 has no PyTorch that sees a GPU'
}

# for_each_peer FUNCTION: calls it with a number and the options of each way in which PyTorch is run, the most wanted first:
# each takes some 40 s with its check.
for_each_peer() {
  result=0
  number=0
  for options in '--batch 128 --precision tf32 --compile --cuda-graph' \
    '--batch 4096 --precision bf16 --compile --cuda-graph --channels-last' \
    '--batch 128 --precision tf32 --cuda-graph' '--batch 128 --precision tf32'; do
    number=$((number + 1))
    "$1" "$number" "$options" || result=1
  done
  return $result
}

# Compares it with the plain way, once. What it printed counts also where the two differ.
verify_one() {
  verified=$work/peer/verified-$1.json
  [ ! -s "$verified" ] || return 0
  # shellcheck disable=SC2086  # a list of words
  python3 benchmarks/peers/torch_dann.py --device cuda --mode dann $2 --verify 20 >"$verified.part" ||
    echo "not verified: $2"
  [ -s "$verified.part" ] && mv "$verified.part" "$verified"
}

# What failed its comparison is told as such and not timed.
peer_one() {
  rows=$work/peer/rows.jsonl
  if verify_one "$1" "$2"; then
    # shellcheck disable=SC2086  # a list of words
    grep -q '"ok": true' "$verified" &&
      row "$rows" python3 benchmarks/peers/torch_dann.py --device cuda --mode dann $2 --json && return
    ! grep -q '"ok": false' "$verified" || { cat "$verified" >>"$rows" && return 1; }
  fi
  echo "{\"options\": \"$2\", \"error\": \"it ended with an error, see parts.log\"}" >>"$rows"
  return 1
}

verify() {
  has_torch && for_each_peer verify_one
}

peer() {
  has_torch && for_each_peer peer_one
}

# shellcheck source=benchmarks/gpu/tests.sh
. benchmarks/gpu/tests.sh

case ${1:-} in
  build | tests | steps | peer | verify | paper | profile | kernels | sanitizers) "$1" ;;
  *) echo "part.sh: there is no part ${1:-}" >&2 && exit 2 ;;
esac
