// The convolution block by AVX-512's products of bf16 pairs: asks the processor before anything
// compiled for them runs.
#include "kernels/conv_block/cpu/bf16_conv_block_avx512.h"

#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/cpu/bf16_products.h"

namespace gradflip {

const Bf16ConvBlock* avx512_bf16_conv_block() {
  static constexpr Bf16ConvBlock kBlock{.convolution = &kAvx512Convolution,
                                        .backward_data = nullptr,
                                        .backward_filter = nullptr,
                                        .gradients = &kAvx512Gradients};
  return has_avx512_bf16_products() ? &kBlock : nullptr;
}

}  // namespace gradflip
