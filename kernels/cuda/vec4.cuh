// Elementwise loops over float arrays, four elements at a time where every array begins on 16
// bytes, one at a time for the tail and for arrays that do not.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"

namespace gradflip {

// What a launch covers: `vectors` times four elements, then the rest of `size` singly.
struct Elements {
  std::int64_t size = 0;
  std::int64_t vectors = 0;
};

template <typename... Arrays>
Elements elements_of(std::int64_t size, const Arrays*... arrays) {
  const bool aligned = ((reinterpret_cast<std::uintptr_t>(arrays) % sizeof(float4) == 0) && ...);
  return {size, aligned ? size / 4 : 0};
}

// size > 0.
inline dim3 elementwise_grid(const Cuda& ctx, const Elements& elements) {
  return elementwise_grid(ctx, std::max(elements.vectors, elements.size - 4 * elements.vectors));
}

// y[i] = function(x[i]...). y may be one of the inputs: each thread reads its elements before it
// writes them.
template <typename Function, typename... Inputs>
__device__ __forceinline__ void map_elements(const Elements& elements, const Function& function,
                                             float* y, const Inputs*... x) {
  const auto map_vector = [&function](auto... v) {
    return make_float4(function(v.x...), function(v.y...), function(v.z...), function(v.w...));
  };
  for (std::int64_t v = global_thread(); v < elements.vectors; v += global_threads()) {
    reinterpret_cast<float4*>(y)[v] = map_vector(reinterpret_cast<const float4*>(x)[v]...);
  }
  const std::int64_t first = 4 * elements.vectors + global_thread();
  for (std::int64_t i = first; i < elements.size; i += global_threads()) y[i] = function(x[i]...);
}

}  // namespace gradflip
