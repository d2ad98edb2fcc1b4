#include "kernels/relu.h"

#include "kernels/require.h"

namespace gradflip {

void relu_forward(Cpu /*ctx*/, std::int64_t size, const float* x, float* y) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  for (std::int64_t i = 0; i < size; ++i) y[i] = x[i] <= 0.0F ? 0.0F : x[i];
}

void relu_backward(Cpu /*ctx*/, std::int64_t size, const float* y, const float* dy, float* dx) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  for (std::int64_t i = 0; i < size; ++i) dx[i] = y[i] <= 0.0F ? 0.0F : dy[i];
}

}  // namespace gradflip
