// Fill, scale, functions of one and of two arrays.
//
// Decomposition  four elements per thread (vec4.cuh), grid-stride.
// Cost           memory-bound: 4 bytes per element and array.
// Numerics       +, -, *, / and sqrt are correctly rounded, as on the CPU: the same bits (nvcc's
//                default; not with -use_fast_math). expf, logf and tanhf are the library's, within
//                two units in the last place, and log1pf, within one (CUDA C++ Programming Guide,
//                "Mathematical Functions"); sigmoid and softplus are made of them.
#include "kernels/cuda/simt.h"
#include "kernels/cuda/vec4.cuh"
#include "kernels/elementwise.h"

namespace gradflip {
namespace {

// By exponentials of negative numbers, which do not overflow.
__device__ __forceinline__ float sigmoid_of(float x) {
  const float e = expf(-fabsf(x));
  return (x >= 0.0F ? 1.0F : e) / (1.0F + e);
}

__device__ __forceinline__ float softplus_of(float x) {
  return (x < 0.0F ? 0.0F : x) + log1pf(expf(-fabsf(x)));
}

template <Unary kFunction>
__device__ __forceinline__ float apply(float x) {
  if constexpr (kFunction == Unary::kExp) return expf(x);
  if constexpr (kFunction == Unary::kLog) return logf(x);
  if constexpr (kFunction == Unary::kSqrt) return sqrtf(x);
  if constexpr (kFunction == Unary::kSquare) return x * x;
  if constexpr (kFunction == Unary::kSigmoid) return sigmoid_of(x);
  if constexpr (kFunction == Unary::kTanh) return tanhf(x);
  if constexpr (kFunction == Unary::kSoftplus) return softplus_of(x);
  if constexpr (kFunction == Unary::kAbs) return fabsf(x);
  if constexpr (kFunction == Unary::kSign) return fabsf(x) > 0.0F ? copysignf(1.0F, x) : x;
}

template <Binary kFunction>
__device__ __forceinline__ float apply(float a, float b) {
  if constexpr (kFunction == Binary::kAdd) return a + b;
  if constexpr (kFunction == Binary::kSubtract) return a - b;
  if constexpr (kFunction == Binary::kMultiply) return a * b;
  if constexpr (kFunction == Binary::kDivide) return a / b;
}

__global__ void fill_kernel(Elements elements, float value, float* y) {
  map_elements(
      elements, [value] { return value; }, y);
}

__global__ void scale_kernel(Elements elements, Scale scale, const float* x, float* y) {
  const float factor = value_of(scale);
  map_elements(
      elements, [factor](float value) { return factor * value; }, y, x);
}

template <Unary kFunction>
__global__ void unary_kernel(Elements elements, const float* x, float* y) {
  map_elements(
      elements, [](float value) { return apply<kFunction>(value); }, y, x);
}

template <Binary kFunction>
__global__ void binary_kernel(Elements elements, const float* a, const float* b, float* y) {
  map_elements(
      elements, [](float left, float right) { return apply<kFunction>(left, right); }, y, a, b);
}

template <Unary kFunction>
void launch_unary(const Cuda& ctx, std::int64_t size, const float* x, float* y) {
  const Elements elements = elements_of(size, x, y);
  launch(unary_kernel<kFunction>, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx,
         elements, x, y);
}

template <Binary kFunction>
void launch_binary(const Cuda& ctx, std::int64_t size, const float* a, const float* b, float* y) {
  const Elements elements = elements_of(size, a, b, y);
  launch(binary_kernel<kFunction>, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx,
         elements, a, b, y);
}

}  // namespace

void fill(Cuda ctx, std::int64_t size, float value, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, y);
  launch(fill_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, value,
         y);
}

void scale(Cuda ctx, std::int64_t size, Scale factor, const float* x, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, x, y);
  launch(scale_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, factor,
         x, y);
}

void unary(Cuda ctx, std::int64_t size, Unary function, const float* x, float* y) {
  if (size <= 0) return;
  switch (function) {
    case Unary::kExp:
      return launch_unary<Unary::kExp>(ctx, size, x, y);
    case Unary::kLog:
      return launch_unary<Unary::kLog>(ctx, size, x, y);
    case Unary::kSqrt:
      return launch_unary<Unary::kSqrt>(ctx, size, x, y);
    case Unary::kSquare:
      return launch_unary<Unary::kSquare>(ctx, size, x, y);
    case Unary::kSigmoid:
      return launch_unary<Unary::kSigmoid>(ctx, size, x, y);
    case Unary::kTanh:
      return launch_unary<Unary::kTanh>(ctx, size, x, y);
    case Unary::kSoftplus:
      return launch_unary<Unary::kSoftplus>(ctx, size, x, y);
    case Unary::kAbs:
      return launch_unary<Unary::kAbs>(ctx, size, x, y);
    case Unary::kSign:
      return launch_unary<Unary::kSign>(ctx, size, x, y);
  }
}

void binary(Cuda ctx, std::int64_t size, Binary function, const float* a, const float* b,
            float* y) {
  if (size <= 0) return;
  switch (function) {
    case Binary::kAdd:
      return launch_binary<Binary::kAdd>(ctx, size, a, b, y);
    case Binary::kSubtract:
      return launch_binary<Binary::kSubtract>(ctx, size, a, b, y);
    case Binary::kMultiply:
      return launch_binary<Binary::kMultiply>(ctx, size, a, b, y);
    case Binary::kDivide:
      return launch_binary<Binary::kDivide>(ctx, size, a, b, y);
  }
}

}  // namespace gradflip
