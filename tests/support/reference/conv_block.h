// Reference of kernels/conv_block.h, as the dense composition: conv2d, bias, relu, pool, and
// backward through the dense gradient.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/conv_block.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct ConvBlockOutput {
  Sums pooled;                       // scale: the largest of the window, as any may win in f32
  std::vector<std::uint8_t> winner;  // as the header defines it
  // By how much the window's values would have to change for another winner byte.
  std::vector<double> margin;
};
ConvBlockOutput conv_block_forward(const ConvBlockShape& shape, const std::vector<double>& x,
                                   const std::vector<double>& filter,
                                   const std::vector<double>& bias);

// The bytes agree wherever the margin exceeds tolerance * scale, and are possible ones elsewhere;
// fails too if fewer than nine tenths of the places are that clear, where a test would prove
// little.
testing::AssertionResult winners_match(std::span<const std::uint8_t> got,
                                       const ConvBlockOutput& want, const ConvBlockShape& shape,
                                       double tolerance);

Sums conv_block_backward_data(const ConvBlockShape& shape, const std::vector<double>& dpooled,
                              const std::vector<std::uint8_t>& winner,
                              const std::vector<double>& filter);

struct ConvBlockFilterGradient {
  Sums dfilter, dbias;
};
ConvBlockFilterGradient conv_block_backward_filter(const ConvBlockShape& shape,
                                                   const std::vector<double>& x,
                                                   const std::vector<double>& dpooled,
                                                   const std::vector<std::uint8_t>& winner);

}  // namespace gradflip::reference
