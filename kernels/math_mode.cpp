#include "kernels/math_mode.h"

#include "kernels/cpu/bf16_convolution.h"

namespace gradflip {

bool computes_in(Cpu /*ctx*/, Math math) {
  return math == Math::kF32 || (math == Math::kBf16 && bf16_convolution() != nullptr);
}

}  // namespace gradflip
