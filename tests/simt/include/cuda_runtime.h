// CUDA's language and runtime, emulated. Under nvcc the language needs no header; here this one
// brings it.
#pragma once

// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): CUDA's names
#include "cuda_runtime_api.h"
#include "tests/simt/language/atomics.h"
#include "tests/simt/language/barriers.h"
#include "tests/simt/language/index.h"
#include "tests/simt/language/math.h"
#include "tests/simt/language/memory.h"
#include "tests/simt/language/qualifiers.h"
#include "tests/simt/language/warp.h"
#include "vector_functions.h"

// The typed overloads that CUDA adds for C++.
template <typename T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}
template <typename T>
cudaError_t cudaMallocHost(T** memory, std::size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(memory), bytes);
}
template <typename... Params>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Params...), cudaFuncAttribute attribute,
                                 int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <typename... Params>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(Params...)) {
  return cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
