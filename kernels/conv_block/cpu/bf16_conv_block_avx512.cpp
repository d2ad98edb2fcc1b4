// The convolution block by AVX-512's products of bf16 pairs: asks the processor before anything
// compiled for them runs.
#include "kernels/conv_block/cpu/bf16_conv_block_avx512.h"

#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {

const Bf16ConvBlock* avx512_bf16_conv_block() {
  static constexpr Bf16ConvBlock kBlock{.convolution = &kAvx512Convolution,
                                        .backward_data = nullptr,
                                        .backward_filter = nullptr,
                                        .gradients = &kAvx512Gradients};
  // The instructions, and an operating system that keeps the registers.
  static const bool available =
      __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return available ? &kBlock : nullptr;
}

}  // namespace gradflip
