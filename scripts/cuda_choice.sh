# shellcheck shell=sh
# Sourced by demo.sh after setup.sh: whether the CUDA backend is worth building here, and for which GPUs. Its kernels
# take most of the compiler's time, so a machine that cannot run them does without, unless they are asked for.

# What is looked for by its path lies below this folder; tests have one of their own.
nvidia_root=

# gpu_capabilities: the compute capability of every GPU that the NVIDIA driver shows, as 8.9, one a line, each once.
# The tool comes with the driver and asks it; it hangs where the driver does.
gpu_capabilities() {
  for smi in nvidia-smi "$nvidia_root/usr/lib/wsl/lib/nvidia-smi"; do
    command -v "$smi" >/dev/null || continue
    timeout 30 "$smi" --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
      grep -x '[0-9][0-9]*\.[0-9]' | sort -u
    return 0
  done
}

# has_nvidia_driver: whether there is a trace of a driver, for where nvidia-smi is missing (a container that was
# given GPUs for computing alone) or too old to answer: its kernel module, its device nodes, Windows' below WSL.
has_nvidia_driver() {
  for trace in /proc/driver/nvidia/version /dev/nvidia0 /dev/nvhost-gpu /usr/lib/wsl/lib/libcuda.so.1; do
    [ ! -e "$nvidia_root$trace" ] || return 0
  done
  return 1
}

# find_nvcc: the compiler that scripts/cmake/GradflipCuda.cmake would take; fails if there is none, or only one that is
# too old.
find_nvcc() {
  for nvcc in ${CUDACXX:-"$nvidia_root/usr/local/cuda/bin/nvcc" nvcc}; do
    command -v "$nvcc" >/dev/null || continue
    major=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
    [ "${major:-0}" -ge 12 ] || return 1
    echo "$nvcc"
    return 0
  done
  return 1
}

# architectures NVCC CAPABILITY...: for CMAKE_CUDA_ARCHITECTURES; empty if no such GPU can run the kernels. A GPU that
# the toolkit does not know yet gets the newest code that it does, for the driver to translate.
architectures() {
  known=$("$1" --list-gpu-arch | sed -n 's/^compute_\([0-9]*\)$/\1/p' | sort -n)
  shift
  for capability in "$@"; do
    number=$(echo "$capability" | tr -d .)
    [ "$number" -ge 80 ] || continue
    newest=$(echo "$known" | awk -v number="$number" '$1 <= number { newest = $1 } END { print newest }')
    case $newest in
      90) [ "$number" -eq 90 ] && echo 90a-real || echo 90-virtual ;;
      "$number") echo "$number-real" ;;
      ?*) echo "$newest-virtual" ;;
    esac
  done | sort -u | paste -s -d ';' -
}

# is_built_for BUILD ARCHITECTURES: whether the kernels for these GPUs lie there already, so that nothing of what
# test.sh or a build by hand made is made again. One that names no architectures runs on every GPU.
is_built_for() {
  has_cuda_kernels "$1" || return 1
  cached=$(sed -n 's/^CMAKE_CUDA_ARCHITECTURES:[A-Z]*=//p' "$1/CMakeCache.txt")
  [ -z "$cached" ] || [ "$cached" = "$2" ]
}

has_cuda_kernels() {
  grep -q '^GRADFLIP_BUILT_WITH_CUDA:INTERNAL=1$' "$1/CMakeCache.txt" 2>/dev/null &&
    ar t "$1/kernels/libgradflip_kernels.a" 2>/dev/null | grep -q '\.cu\.o$'
}

# wanted_architectures NVCC: of the GPUs here; "native" where a driver is but does not say which, so that CMake
# asks the CUDA runtime; nothing where there is no GPU that can run the kernels.
wanted_architectures() {
  capabilities=$(gpu_capabilities)
  if [ -n "$capabilities" ]; then
    # shellcheck disable=SC2086  # a list of words
    wanted=$(architectures "$1" $capabilities)
    [ -n "$wanted" ] || say "note: the GPU here has compute capability $(echo "$capabilities" | paste -s -d / -)," \
      "too old for the CUDA kernels: 8.0 is needed"
    echo "$wanted"
  elif has_nvidia_driver; then
    echo native
  fi
}

# choose_cuda WISH BUILD: prints the options for CMake. WISH is cuda, cpu or auto; notes go to stderr.
choose_cuda() {
  if [ "$1" = cpu ]; then
    echo -DGRADFLIP_CUDA=OFF
    return
  fi
  if ! nvcc=$(find_nvcc); then
    [ "$1" != cuda ] || die '--cuda: there is no CUDA toolkit of version 12 or later here; install one, or set CUDACXX' \
      'to its nvcc'
    if [ -n "$(gpu_capabilities)" ] || has_nvidia_driver; then
      say 'note: there is an NVIDIA driver here, but no CUDA toolkit of version 12 or later to build for its GPU:' \
        'going on with the CPU; install one, then run ./demo.sh again'
    fi
    echo -DGRADFLIP_CUDA=OFF
    return
  fi

  wanted=$(wanted_architectures "$nvcc")
  if [ -z "$wanted" ] && [ "$1" = auto ]; then
    has_cuda_kernels "$2" || echo -DGRADFLIP_CUDA=OFF
  elif [ "$wanted" = native ] && [ "$1" = auto ]; then
    # AUTO, because there need not be a GPU behind the trace.
    echo -DGRADFLIP_CUDA=AUTO -DCMAKE_CUDA_ARCHITECTURES=native
  elif [ -z "$wanted" ] || [ "$wanted" = native ] || is_built_for "$2" "$wanted"; then
    echo -DGRADFLIP_CUDA=ON
  else
    echo -DGRADFLIP_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$wanted"
  fi
}
