// Whole backward passes of the convolution block with operands rounded to bf16, for processors
// whose bf16 products are so fast that dense gradients cost less than sparse ones in f32.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/cpu/scratch.h"

namespace gradflip {

struct Bf16BackwardData {
  bool (*takes)(const ConvBlockShape& shape);
  std::int64_t (*workspace_bytes)(const ConvBlockShape& shape);  // no more for a smaller N
  // conv_block_backward_data, but that a gradient of zero meets every weight: 0 * NaN is NaN.
  void (*run)(const ConvBlockShape& shape, const float* dpooled, const std::uint8_t* winner,
              const float* filter, float* dx, Scratch scratch);
};

struct Bf16BackwardFilter {
  bool (*takes)(const ConvBlockShape& shape);
  std::int64_t (*workspace_bytes)(const ConvBlockShape& shape);  // no more for a smaller N
  // Adds dfilter to sum (whole_rows(K), R, whole_rows(S*C)), of which what is past K and S*C is of
  // no account, and dbias to dbias (whole_rows(K)).
  void (*accumulate)(const ConvBlockShape& shape, const float* x, const float* dpooled,
                     const std::uint8_t* winner, float* sum, float* dbias, Scratch scratch);
};

}  // namespace gradflip
