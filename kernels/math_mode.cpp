#include "kernels/math_mode.h"

#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {

bool computes_in(Cpu /*ctx*/, Math math) {
  return math == Math::kF32 || (math == Math::kBf16 && bf16_conv_block() != nullptr);
}

}  // namespace gradflip
