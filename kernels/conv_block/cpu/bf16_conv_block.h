// The convolution block with operands rounded to bf16: which instructions make the products.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cpu/bf16_backward.h"
#include "kernels/conv_block/cpu/bf16_convolution.h"
#include "kernels/conv_block/cpu/bf16_gradients.h"

namespace gradflip {

struct Bf16ConvBlock {
  const Bf16Convolution* convolution;         // inside conv_block_forward
  const Bf16BackwardData* backward_data;      // null: f32
  const Bf16BackwardFilter* backward_filter;  // null: next
  const Bf16Gradients* gradients;             // inside conv_block_backward_filter; null: f32
};

// Null where this processor has no such products, or the compiler cannot make them.
const Bf16ConvBlock* avx512_bf16_conv_block();
const Bf16ConvBlock* amx_conv_block();

// The best that this processor has; null: f32.
const Bf16ConvBlock* bf16_conv_block();

// conv_block.h's functions with these products whatever shape.conv.math says; null: f32. The
// workspace is of the same `bf16`.
std::int64_t conv_block_workspace_bytes(const Bf16ConvBlock* bf16, const ConvBlockShape& shape);
void conv_block_forward(const Bf16ConvBlock* bf16, const ConvBlockShape& shape, const float* x,
                        const float* filter, const float* bias, float* pooled, std::uint8_t* winner,
                        void* workspace);
void conv_block_backward_data(const Bf16ConvBlock* bf16, const ConvBlockShape& shape,
                              const float* dpooled, const std::uint8_t* winner, const float* filter,
                              float* dx, void* workspace);
void conv_block_backward_filter(const Bf16ConvBlock* bf16, const ConvBlockShape& shape,
                                const float* x, const float* dpooled, const std::uint8_t* winner,
                                Write write, float* dfilter, float* dbias, void* workspace);

// What shape.conv.math asks for.
inline const Bf16ConvBlock* bf16_conv_block(const ConvBlockShape& shape) {
  return shape.conv.math == Math::kBf16 ? bf16_conv_block() : nullptr;
}

}  // namespace gradflip
