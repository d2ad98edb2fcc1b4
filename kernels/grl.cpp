#include "kernels/grl.h"

#include "kernels/require.h"

namespace gradflip {

void grl_backward(Cpu /*ctx*/, std::int64_t size, Scale lambda, const float* dy, float* dx) {
  GRADFLIP_REQUIRE(size >= 0, message("grl: size is ", size, ", must be >= 0"));
  const float factor = -value_of(lambda);
  for (std::int64_t i = 0; i < size; ++i) dx[i] = factor * dy[i];
}

}  // namespace gradflip
