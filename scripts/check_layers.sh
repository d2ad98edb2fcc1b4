#!/bin/sh
# The tree is the architecture: includes point from apps to models to runtime to kernels, never back, and one
# file holds the only #if, besides those that compiling once per instruction set takes. Prints file:line of every
# breach and fails if there is one.
# usage: scripts/check_layers.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find kernels runtime models apps tests benchmarks -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null | sort)
[ -n "$files" ] || {
  echo "check_layers: no sources in $PWD" >&2
  exit 1
}

# shellcheck disable=SC2016  # awk's fields
echo "$files" | xargs awk '
  function breach(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    breaches++
  }

  # The part of a path that rules are about: a layer, or one of the folders of apps/.
  function part_of(path,   names) {
    split(path, names, "/")
    return names[1] == "apps" ? names[1] "/" names[2] : names[1]
  }

  function is_cuda(file) {
    return file ~ /\.cuh?$/ || file ~ /^kernels\/cuda\// || file ~ /_cuda\.cpp$/
  }

  BEGIN {
    rank["kernels"] = 1
    rank["runtime"] = 2
    rank["models"] = 3
    rank["apps"] = 4
    rank["tests"] = rank["benchmarks"] = 5
  }

  FNR == 1 {
    part = part_of(FILENAME)
    layer = FILENAME
    sub(/\/.*/, "", layer)
  }

  /^[ \t]*#[ \t]*include[ \t]*"/ {
    included = $0
    sub(/^[^"]*"/, "", included)
    sub(/".*/, "", included)
    to = included
    sub(/\/.*/, "", to)
    if (!(to in rank)) {
      # Highway documents its own headers in quotes.
      # The emulator brings headers under names that CUDA has.
      if (!(layer == "kernels" && included ~ /^hwy\//) &&
          !(FILENAME ~ /^tests\/simt\// && included ~ /^(cuda_runtime|cuda_runtime_api|vector_types|vector_functions)\.h$/)) {
        breach("\"" included "\" does not start at the repository root")
      }
    } else if (rank[to] > rank[layer]) {
      breach(layer " must not include " to " (\"" included "\")")
    } else if (FILENAME ~ /^kernels\/(cpu|cuda)\// && included ~ /^kernels\/[^\/]+\// &&
               included !~ /^kernels\/(cpu|cuda)\//) {
      breach("what operations share must not include the folder of one (\"" included "\")")
    } else if (layer == "apps" && to == "apps" && part_of(included) != part &&
               part_of(included) != "apps/common") {
      breach(part " must not include " part_of(included) " (\"" included "\")")
    } else if (layer == "tests" && to == "benchmarks") {
      breach(layer " must not include " to " (\"" included "\")")
    }
  }

  /^[ \t]*#[ \t]*include[ \t]*</ && layer == "kernels" {
    included = $0
    sub(/^[^<]*</, "", included)
    sub(/>.*/, "", included)
    if (included !~ /^[a-z_]+$/ && included !~ /^hwy\// &&
        !(is_cuda(FILENAME) && included ~ /^cuda[a-z0-9_]*\.h$/) &&
        !(FILENAME ~ /^kernels\/.*_avx512\.(cpp|h)$/ && included == "immintrin.h") &&
        !(FILENAME ~ /^kernels\/conv_block\/amx\/amx\.cpp$/ && included ~ /^(cpuid|unistd|sys\/syscall)\.h$/)) {
      breach("kernels include the standard library, Highway and themselves only (<" included ">)")
    }
    # One of them, in a header that kernels for a GPU include, and no compiler says a word.
    if (included == "bit" && FILENAME !~ /\/(cpu|amx)\/|\.cpp$/) {
      breach("nvcc miscompiles functions of <bit>; kernels/bit_width.h is for both")
    }
  }

  /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)[^a-z]/ && FILENAME != "kernels/context.h" &&
  FILENAME != "kernels/cpu/simd.h" && FILENAME != "kernels/host_device.h" && FILENAME != "tests/simt/sanitizer.h" {
    guard = "GRADFLIP_" toupper(FILENAME)
    gsub(/[^A-Z0-9]/, "_", guard)
    if (!((layer == "kernels" || layer == "benchmarks") && (/HWY_/ || index($0, guard)))) {
      breach("conditional compilation belongs in kernels/context.h and kernels/host_device.h")
    }
  }

  END { exit breaches > 0 }
'
