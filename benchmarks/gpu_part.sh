#!/bin/sh
# One part of run_on_gpu.sh, which calls it with a time limit:
#   benchmarks/gpu_part.sh build|tests|sanitizers|paper|steps|kernels|peer
# GPU_BUILD is the build folder, GPU_PACK what pack_for_gpu.sh made (or nothing), GPU_WORK where results go.
set -u
cd "$(dirname "$0")/.." || exit 6
build=$GPU_BUILD
pack=$GPU_PACK
work=$GPU_WORK
bin=$build/bin

targets='kernels_test runtime_test models_test allocation_test step_bench kernel_bench dann_mnist'

# Folders with cuBLAS or cuDNN that came with a Python package.
vendor_roots() {
  python3 -c 'import nvidia, glob
print(";".join(sorted(glob.glob(list(nvidia.__path__)[0] + "/*/"))))' 2>/dev/null
}

configure() {
  set -- -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DGRADFLIP_CUDA=ON -DGRADFLIP_TESTS=ON \
    -DGRADFLIP_APPS=ON -DGRADFLIP_BENCHMARKS=ON "-DGRADFLIP_VENDOR_ROOTS=$(vendor_roots)"
  if [ -n "$pack" ]; then
    # Another machine's compiler may warn of something new, which must not cost the whole call; its CMake may find the
    # packages' files too old.
    set -- -C "$pack/packages.cmake" "$@" "-DGRADFLIP_COMMIT=$(cat "$pack/commit")" -DCMAKE_CXX_FLAGS=-w \
      -DCMAKE_CUDA_FLAGS=-Xcompiler=-w -DCMAKE_POLICY_VERSION_MINIMUM=3.5
  fi
  # One architecture instead of three; sm_90's own instructions go by another name.
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1)
  case $capability in
    9.0) set -- "$@" -DCMAKE_CUDA_ARCHITECTURES=90a-real ;;
    [0-9]*) set -- "$@" "-DCMAKE_CUDA_ARCHITECTURES=$(echo "$capability" | tr -d .)-real" ;;
  esac
  ! command -v ccache >/dev/null || set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  cmake "$@"
}

# The cross-checks exist where the libraries do; what does not build does not keep the rest from being built.
compile() {
  jobs=$(nproc)
  for optional in cublas_cross_check_test cudnn_cross_check_test; do
    ! ninja -C "$build" -t query "$optional" >/dev/null 2>&1 || targets="$targets $optional"
  done
  # shellcheck disable=SC2086  # a list of words
  ninja -C "$build" -k 0 -j "$jobs" $targets
}

build() {
  configure && compile
}

# All at once: the double references on the CPU take most of the time.
tests() {
  export GRADFLIP_REQUIRE_CUDA=1
  [ -z "$pack" ] || [ ! -d "$pack/data" ] || export GRADFLIP_DATA="$pack/data"
  waiting=
  for test in kernels_test runtime_test models_test allocation_test cublas_cross_check_test cudnn_cross_check_test; do
    [ -x "$bin/$test" ] || continue
    "$bin/$test" "--gtest_output=json:$work/$test.json" >"$work/$test.out" 2>&1 &
    waiting="$waiting $!:$test"
  done
  status=0
  for one in $waiting; do
    code=0
    wait "${one%%:*}" || code=$?
    echo "${one#*:}: exit $code"
    [ $code -eq 0 ] || status=1
  done
  return $status
}

# The checkers slow a kernel down by orders of magnitude: smaller sets of tests for the slower ones.
sanitizers() {
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  [ -x "$sanitizer" ] || { echo 'compute-sanitizer is not installed' && return 1; }
  waiting=
  for tool in memcheck racecheck initcheck; do
    timeout --kill-after=5 80 "$sanitizer" --tool $tool --error-exitcode 9 "$bin/kernels_test" \
      --gtest_filter='*cuda*' >"$work/$tool.out" 2>&1 &
    waiting="$waiting $!:$tool"
  done
  status=0
  for one in $waiting; do
    code=0
    wait "${one%%:*}" || code=$?
    passed=$(grep -c '^\[       OK' "$work/${one#*:}.out")
    echo "${one#*:}: exit $code, $passed tests passed$([ $code -ne 124 ] || echo ' before the time limit')"
    # Running out of time is no finding.
    [ $code -eq 0 ] || [ $code -eq 124 ] || status=1
  done
  return $status
}

paper() {
  data=${pack:+$pack/data}
  [ -d "${data:-}" ] || data=${GRADFLIP_DATA:-}
  [ -d "${data:-}" ] || { echo "no data: pack_for_gpu.sh takes it from \$GRADFLIP_DATA" && return 3; }
  "$bin/dann_mnist" --source "$data/mnist" --photos "$data/bsds500" --blend difference --preset paper --device cuda \
    --precision tf32 --json >"$work/paper.json"
}

# row OUTPUT COMMAND...: one JSON document, as a line of OUTPUT.
row() {
  output=$1
  shift
  if "$@" >"$work/row.json"; then
    tr -d '\n' <"$work/row.json" >>"$output"
    echo >>"$output"
  else
    echo "failed: $*"
    return 1
  fi
}

steps() {
  status=0
  for batch in 128 1024 4096; do
    for precision in f32 tf32x3 tf32 bf16; do
      row "$work/steps.jsonl" "$bin/step_bench" --device cuda --mode both --batch $batch --precision $precision \
        --seconds 2 --json || status=1
    done
    row "$work/steps.jsonl" "$bin/step_bench" --device cuda --mode infer --batch $batch --precision tf32 \
      --seconds 1 --json || status=1
  done
  return $status
}

# In groups, the most wanted first: what a time limit cuts off is the end.
kernels() {
  status=0
  index=0
  for filter in '^conv_block.*gradflip' '^(linear|merge|grl)' '^conv_block.*cuDNN' \
    '^(softmax|bce|sgd|gather|conv2d.*gradflip)'; do
    index=$((index + 1))
    "$bin/kernel_bench" --device cuda --batches 128,4096 --benchmark_min_time=0.02 "--benchmark_filter=$filter" \
      --json "$work/kernels-$index.json" || status=1
  done
  return $status
}

peer() {
  python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null ||
    { echo 'python3 has no PyTorch that sees a GPU' && return 1; }
  status=0
  for options in '--batch 128 --cuda-graph --precision tf32' '--batch 128 --compile --cuda-graph --precision tf32' \
    '--batch 4096 --compile --cuda-graph --precision bf16 --channels-last' '--batch 128 --precision tf32'; do
    # shellcheck disable=SC2086  # a list of words
    row "$work/peers.jsonl" timeout 45 python3 benchmarks/peers/torch_dann.py --device cuda --mode dann $options \
      --json || status=1
  done
  return $status
}

case ${1:-} in
  build | tests | sanitizers | paper | steps | kernels | peer) "$1" ;;
  *) echo "gpu_part.sh: there is no part ${1:-}" >&2 && exit 2 ;;
esac
