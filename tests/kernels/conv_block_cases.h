// Shapes, data and calls that the tests of the fused convolution block share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv_block.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/math_modes.h"
#include "tests/support/random_data.h"

namespace gradflip {

inline constexpr float kQuietNan = std::numeric_limits<float>::quiet_NaN();

inline const std::vector<ConvBlockShape> kConvBlockShapes = {
    // The paper's two layers.
    {.conv = {.N = 2, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5}},
    {.conv = {.N = 3, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5}},
    {.conv = {.N = 1, .H = 1, .W = 1, .C = 1, .K = 1, .R = 1, .S = 1}, .pool_h = 1, .pool_w = 1},
    {.conv = {.N = 0, .H = 6, .W = 6, .C = 2, .K = 3, .R = 3, .S = 3}},
    // Strips of 2, 4, ... 14 pixels: every remainder of a tile. Channels around vectors and blocks.
    {.conv = {.N = 2, .H = 5, .W = 4, .C = 1, .K = 2, .R = 2, .S = 3}},
    {.conv = {.N = 2, .H = 7, .W = 7, .C = 2, .K = 5, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 6, .W = 9, .C = 3, .K = 17, .R = 2, .S = 3}},
    {.conv = {.N = 1, .H = 5, .W = 10, .C = 4, .K = 33, .R = 2, .S = 2}},
    {.conv = {.N = 2, .H = 6, .W = 12, .C = 5, .K = 50, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 6, .W = 16, .C = 7, .K = 66, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 8, .W = 18, .C = 11, .K = 100, .R = 1, .S = 3}},
    // Runs of more vectors than one pass takes, and images of more than one panel.
    {.conv = {.N = 2, .H = 7, .W = 6, .C = 64, .K = 19, .R = 3, .S = 3}},
    {.conv = {.N = 2, .H = 16, .W = 15, .C = 37, .K = 8, .R = 7, .S = 5}},
    {.conv = {.N = 1, .H = 24, .W = 22, .C = 16, .K = 6, .R = 2, .S = 2}},
    // Vectors that fit, yet channels and filters that only CUDA's general kernels take.
    {.conv = {.N = 1, .H = 7, .W = 10, .C = 20, .K = 48, .R = 3, .S = 6}},
    {.conv = {.N = 1, .H = 6, .W = 8, .C = 60, .K = 40, .R = 2, .S = 2}},
    // Other pools; the last rows and columns of the convolution are dropped.
    {.conv = {.N = 2, .H = 12, .W = 13, .C = 3, .K = 9, .R = 3, .S = 3}, .pool_h = 3, .pool_w = 2},
    {.conv = {.N = 1, .H = 9, .W = 15, .C = 2, .K = 20, .R = 2, .S = 2}, .pool_h = 1, .pool_w = 4},
    {.conv = {.N = 1, .H = 11, .W = 6, .C = 2, .K = 4, .R = 2, .S = 1}, .pool_h = 5, .pool_w = 1},
    {.conv = {.N = 1, .H = 2, .W = 127, .C = 1, .K = 3, .R = 1, .S = 1},
     .pool_h = 2,
     .pool_w = 127},
    // Padding, stride, dilation, alone and together.
    {.conv = {.N = 2, .H = 8, .W = 9, .C = 3, .K = 16, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1}},
    {.conv = {.N = 2, .H = 6, .W = 8, .C = 16, .K = 7, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2}},
    {.conv =
         {.N = 2, .H = 13, .W = 15, .C = 4, .K = 10, .R = 3, .S = 4, .stride_h = 2, .stride_w = 3}},
    {.conv = {.N = 1,
              .H = 12,
              .W = 13,
              .C = 16,
              .K = 18,
              .R = 3,
              .S = 2,
              .stride_h = 2,
              .stride_w = 1,
              .dilation_h = 2}},
    {.conv = {.N = 2,
              .H = 10,
              .W = 12,
              .C = 5,
              .K = 12,
              .R = 3,
              .S = 3,
              .dilation_h = 2,
              .dilation_w = 3}},
    {.conv = {.N = 2,
              .H = 11,
              .W = 9,
              .C = 16,
              .K = 21,
              .R = 3,
              .S = 2,
              .stride_h = 1,
              .stride_w = 2,
              .pad_h = 1,
              .pad_w = 3,
              .dilation_h = 2,
              .dilation_w = 3},
     .pool_h = 2,
     .pool_w = 3},
};

inline std::string name_of(const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  return testing::PrintToString(std::vector<std::int64_t>{
      conv.N, conv.H, conv.W, conv.C, conv.K, conv.R, conv.S, conv.stride_h, conv.stride_w,
      conv.pad_h, conv.pad_w, conv.dilation_h, conv.dilation_w, shape.pool_h, shape.pool_w,
      static_cast<std::int64_t>(conv.math)});
}

struct ConvBlockTensors {
  explicit ConvBlockTensors(const ConvBlockShape& shape)
      : x(random_floats(shape.conv.N * shape.conv.H * shape.conv.W * shape.conv.C, 1)),
        filter(random_floats(shape.conv.R * shape.conv.S * shape.conv.C * shape.conv.K, 2)),
        bias(random_floats(shape.conv.K, 3)),
        dpooled(random_floats(shape.conv.N * shape.PP() * shape.PQ() * shape.conv.K, 4)) {
    // Winners of every kind, whether or not this x has them: a fifth dead, a seventh of the
    // gradients zero, and what arrives at a dead window must not matter.
    const std::vector<std::uint8_t> bytes = random_bytes(pooled_size(), 5);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const bool dead = bytes[i] % 5 == 0;
      winner.push_back(dead ? kDeadWinner
                            : static_cast<std::uint8_t>(bytes[i] % (shape.pool_h * shape.pool_w)));
      if (i % 7 == 3) dpooled[i] = 0.0F;
      if (dead) dpooled[i] = kQuietNan;
    }
  }
  std::int64_t pooled_size() const { return static_cast<std::int64_t>(dpooled.size()); }

  std::vector<float> x, filter, bias, dpooled;
  std::vector<std::uint8_t> winner;
};

// Operands that the mode leaves as they are: products are then exact in f32, and only the sums
// round.
inline ConvBlockTensors representable(ConvBlockTensors tensors, Math math) {
  for (std::vector<float>* operand : {&tensors.x, &tensors.filter, &tensors.dpooled}) {
    *operand = representable(std::move(*operand), math);
  }
  return tensors;
}

struct ConvBlockForward {
  std::vector<float> pooled;
  std::vector<std::uint8_t> winner;
  bool operator==(const ConvBlockForward&) const = default;
};

struct ConvBlockFilterGradient {
  std::vector<float> dfilter, dbias;
  bool operator==(const ConvBlockFilterGradient&) const = default;
};

template <typename Ctx>
class ConvBlockTest : public BackendTest<Ctx> {
 protected:
  // All bits set: NaN as floats, -1 as integers.
  auto workspace(const ConvBlockShape& shape) {
    const auto bytes = static_cast<std::size_t>(conv_block_workspace_bytes(this->ctx(), shape));
    return this->upload(std::vector<std::uint8_t>(bytes, std::uint8_t{0xFF}));
  }

  ConvBlockForward forward(const ConvBlockShape& shape, const ConvBlockTensors& tensors,
                           Base base = Base::kAligned) {
    const auto x = this->upload(tensors.x, base);
    const auto filter = this->upload(tensors.filter, base);
    const auto bias = this->upload(tensors.bias, base);
    auto pooled = this->poisoned(tensors.pooled_size(), base);
    auto winner = this->template poisoned<std::uint8_t>(tensors.pooled_size(), base);
    auto scratch = workspace(shape);
    conv_block_forward(this->ctx(), shape, x.data(), filter.data(), bias.data(), pooled.data(),
                       winner.data(), scratch.data());
    return {pooled.read(), winner.read()};
  }

  std::vector<float> backward_data(const ConvBlockShape& shape, const ConvBlockTensors& tensors,
                                   Base base = Base::kAligned) {
    const auto dpooled = this->upload(tensors.dpooled, base);
    const auto winner = this->upload(tensors.winner, base);
    const auto filter = this->upload(tensors.filter, base);
    auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
    auto scratch = workspace(shape);
    conv_block_backward_data(this->ctx(), shape, dpooled.data(), winner.data(), filter.data(),
                             dx.data(), scratch.data());
    return dx.read();
  }

  ConvBlockFilterGradient backward_filter(const ConvBlockShape& shape,
                                          const ConvBlockTensors& tensors,
                                          Base base = Base::kAligned) {
    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()), base);
    auto dbias = this->poisoned(shape.conv.K, base);
    run_backward_filter(shape, tensors, Write::kOverwrite, base, dfilter.data(), dbias.data());
    return {dfilter.read(), dbias.read()};
  }

  void run_backward_filter(const ConvBlockShape& shape, const ConvBlockTensors& tensors,
                           Write write, Base base, float* dfilter, float* dbias,
                           const GradientWatch& watch = {}) {
    const auto x = this->upload(tensors.x, base);
    const auto dpooled = this->upload(tensors.dpooled, base);
    const auto winner = this->upload(tensors.winner, base);
    auto scratch = workspace(shape);
    conv_block_backward_filter(this->ctx(), shape, x.data(), dpooled.data(), winner.data(), write,
                               dfilter, dbias, scratch.data(), watch);
  }
};

}  // namespace gradflip
