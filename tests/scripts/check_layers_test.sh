#!/bin/sh
# check_layers.sh accepts the rules' own examples and names the file and line of every breach.
set -eu

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/kernels/cpu" "$tree/kernels/gemm/amx" "$tree/runtime" "$tree/models" "$tree/apps/common" \
  "$tree/apps/one" "$tree/apps/two" "$tree/tests" "$tree/benchmarks"

# write FILE TEXT: the text's second line is the one that a breach stands in.
write() {
  printf '%b\n' "$2" >"$tree/$1"
}

allowed() {
  write "$1" "$2"
  scripts/check_layers.sh "$tree" || {
    echo "check_layers_test: refused in $1: $2" >&2
    exit 1
  }
}

breach() {
  write "$1" "$2"
  if output=$(scripts/check_layers.sh "$tree"); then
    echo "check_layers_test: accepted in $1: $2" >&2
    exit 1
  fi
  case $output in
    "$1:2: "*) ;;
    *)
      echo "check_layers_test: expected $1:2, got: $output" >&2
      exit 1
      ;;
  esac
  rm "$tree/$1"
}

allowed kernels/relu.cpp '#include "kernels/relu.h"\n#include <vector>\n#include <hwy/highway.h>'
allowed kernels/context.h '#pragma once\n#if GRADFLIP_WITH_CUDA\n#endif'
allowed kernels/cpu/rows.h '#if defined(GRADFLIP_KERNELS_CPU_ROWS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_ROWS_H\n#endif\n#endif'
allowed kernels/cpu/rows.cpp '#include <bit>'
allowed kernels/gemm/gemm_avx512.cpp '#include <immintrin.h>'
allowed kernels/gemm/gemm.cpp '#include "kernels/cpu/rows.h"\n#include "kernels/gemm/gemm_dot.h"'
allowed kernels/gemm/amx/tiles.h '#include <bit>'
allowed runtime/graph.cpp '#include "kernels/relu.h"\n#include <fmt/format.h>'
allowed models/trainer.cpp '#include "runtime/graph.h"\n#include "models/trainer.h"'
allowed apps/one/main.cpp '#include "models/trainer.h"\n#include "apps/common/idx.h"'
allowed tests/relu_test.cpp '#include "apps/one/experiment.h"\n#include "tests/support.h"'

breach kernels/gemm/gemm.cpp '\n#include "runtime/graph.h"'
breach runtime/arena.h '\n#include "models/trainer.h"'
breach models/layers.cpp '\n  #  include "apps/common/idx.h"'
breach models/layers.cpp '\n#include "tests/support.h"'
breach apps/one/a.cpp '\n#include "apps/two/b.h"'
breach apps/common/a.cpp '\n#include "apps/one/b.h"'
breach tests/a.cpp '\n#include "benchmarks/timer.h"'
breach runtime/arena.h '\n#include "arena.h"'
breach kernels/gemm/gemm.cpp '\n#include <fmt/format.h>'
breach kernels/gemm/gemm.cpp '\n#include <cuda_runtime.h>'
breach kernels/cpu/rows.h '\n#include "kernels/gemm/gemm_dot.h"'
breach kernels/philox.h '\n#include <bit>'
breach kernels/gemm/gemm.cpp '\n#ifdef __AVX2__\n#endif'
breach runtime/device.cpp '\n#if GRADFLIP_WITH_CUDA\n#endif'

mkdir "$tree/empty"
if scripts/check_layers.sh "$tree/empty" 2>/dev/null; then
  echo 'check_layers_test: accepted a folder without sources' >&2
  exit 1
fi
