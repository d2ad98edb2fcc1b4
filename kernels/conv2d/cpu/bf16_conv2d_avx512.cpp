// Asks the processor before anything compiled for its bf16 products runs.
#include "kernels/conv2d/cpu/bf16_conv2d_avx512.h"

#include "kernels/cpu/bf16_products.h"

namespace gradflip {

const Bf16Conv2d* avx512_bf16_conv2d() {
  static constexpr Bf16Conv2d kConv2d{
      .convolve_bytes = bf16_convolve_bytes,
      .convolve = bf16_convolve,
      .backward_filter_bytes = bf16_backward_filter_bytes,
      .backward_filter = bf16_backward_filter,
  };
  return has_avx512_bf16_products() ? &kConv2d : nullptr;
}

}  // namespace gradflip
