// Which convolution blocks the kernels for the plain case take, and which of those they are good
// for. On CUDA only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "kernels/cuda/conv_block_resident.h"
#include "tests/kernels/conv_block_cases.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// The paper's second layer.
const ConvBlockShape kManyChannels = {
    .conv = {.N = 3, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5, .math = Math::kBf16}};

// What none of them takes.
using Change = void (*)(ConvBlockShape&);
constexpr Change kNotPlain[] = {
    [](ConvBlockShape& shape) { shape.conv.math = Math::kF32; },
    [](ConvBlockShape& shape) { shape.conv.math = Math::kTf32x3; },
    [](ConvBlockShape& shape) { shape.conv.stride_h = 2; },
    [](ConvBlockShape& shape) { shape.conv.stride_w = 2; },
    [](ConvBlockShape& shape) { shape.conv.dilation_h = 2; },
    [](ConvBlockShape& shape) { shape.conv.dilation_w = 2; },
    [](ConvBlockShape& shape) { shape.pool_h = 1; },
    [](ConvBlockShape& shape) { shape.pool_w = 3; },
};

template <typename Ctx>
class ConvBlockResidentChoiceTest : public BackendTest<Ctx> {};
using CudaOnly = testing::Types<Cuda>;
TYPED_TEST_SUITE(ConvBlockResidentChoiceTest, CudaOnly, BackendNames);

TYPED_TEST(ConvBlockResidentChoiceTest, ForwardTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const ConvBlockShape& plain = kManyChannels;
  EXPECT_TRUE(conv_block_forward_resident_pays(plain, data, data));
  EXPECT_FALSE(conv_block_forward_resident_can(plain, data + 1, data));
  EXPECT_FALSE(conv_block_forward_resident_can(plain, data, data + 2));
  const auto refuses = [&](Change change) {
    ConvBlockShape shape = plain;
    change(shape);
    EXPECT_FALSE(conv_block_forward_resident_can(shape, data, data)) << name_of(shape);
  };
  for (const Change change : kNotPlain) refuses(change);
  refuses([](ConvBlockShape& shape) { shape.conv.C = 40; });
  refuses([](ConvBlockShape& shape) { shape.conv.K = 30; });
  refuses([](ConvBlockShape& shape) { shape.conv.C = 4096; });  // shared memory
  ConvBlockShape wasteful = plain;
  wasteful.conv.W = 9;  // eight windows
  EXPECT_TRUE(conv_block_forward_resident_pays(wasteful, data, data));
  wasteful.conv.K = 20;
  EXPECT_FALSE(conv_block_forward_resident_pays(wasteful, data, data));
  EXPECT_TRUE(conv_block_forward_resident_can(wasteful, data, data));
}

TYPED_TEST(ConvBlockResidentChoiceTest, DataGradientTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  const ConvBlockShape& plain = kManyChannels;
  EXPECT_TRUE(conv_block_backward_data_resident_pays(plain, data, winner, data, data));
  EXPECT_FALSE(conv_block_backward_data_resident_can(plain, data + 1, winner, data, data));
  EXPECT_FALSE(conv_block_backward_data_resident_can(plain, data, winner + 1, data, data));
  EXPECT_FALSE(conv_block_backward_data_resident_can(plain, data, winner, data + 2, data));
  EXPECT_FALSE(conv_block_backward_data_resident_can(plain, data, winner, data, data + 3));
  const auto refuses = [&](Change change) {
    ConvBlockShape shape = plain;
    change(shape);
    EXPECT_FALSE(conv_block_backward_data_resident_can(shape, data, winner, data, data))
        << name_of(shape);
  };
  for (const Change change : kNotPlain) refuses(change);
  refuses([](ConvBlockShape& shape) { shape.conv.K = 40; });
  refuses([](ConvBlockShape& shape) { shape.conv.C = 30; });
  refuses([](ConvBlockShape& shape) { shape.conv.K = 4096; });  // shared memory
  // Tiles that lie outside of the image, for the most part.
  ConvBlockShape small = plain;
  small.conv.H = 7;
  EXPECT_TRUE(conv_block_backward_data_resident_pays(small, data, winner, data, data));
  small.conv.W = 9;
  EXPECT_FALSE(conv_block_backward_data_resident_pays(small, data, winner, data, data));
  EXPECT_TRUE(conv_block_backward_data_resident_can(small, data, winner, data, data));
}

TYPED_TEST(ConvBlockResidentChoiceTest, FilterGradientTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  const ConvBlockShape& many = kManyChannels;
  const ConvBlockShape few = {
      .conv = {.N = 2, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5, .math = Math::kTf32}};
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(many, data, data, winner));
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(few, data, data, winner));
  ConvBlockShape large = few;
  large.conv.N = 4096;
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(large, data, data, winner));
  large.conv.math = Math::kBf16;
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(large, data, data, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(many, data + 1, data, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(many, data, data + 2, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(many, data, data, winner + 3));
  const auto refuses = [&](ConvBlockShape shape, Change change) {
    change(shape);
    EXPECT_FALSE(conv_block_backward_filter_resident_can(shape, data, data, winner))
        << name_of(shape);
    EXPECT_EQ(conv_block_backward_filter_resident_parts(shape), 0) << name_of(shape);
  };
  for (const Change change : kNotPlain) {
    refuses(many, change);
    refuses(few, change);
  }
  refuses(many, [](ConvBlockShape& shape) { shape.conv.K = 30; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.C = 24; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.S = 6; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.W = 512; });  // shared memory
  refuses(few, [](ConvBlockShape& shape) { shape.conv.W = 29; });
  refuses(few, [](ConvBlockShape& shape) { shape.conv.S = 27; });
  ConvBlockShape wasteful = few;
  wasteful.conv.R = 2;  // two rows of the filter where five have room
  EXPECT_FALSE(conv_block_backward_filter_resident_pays(wasteful, data, data, winner));
  EXPECT_TRUE(conv_block_backward_filter_resident_can(wasteful, data, data, winner));
}

TYPED_TEST(ConvBlockResidentChoiceTest, RefusesWhatItCannotCompute) {
  const ConvBlockShape shape = {
      .conv = {.N = 1, .H = 5, .W = 5, .C = 6, .K = 8, .R = 2, .S = 2, .math = Math::kTf32}};
  EXPECT_THAT(
      [&] {
        conv_block_backward_data_resident(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
  EXPECT_THAT(
      [&] {
        conv_block_forward_resident(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr,
                                    nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
  EXPECT_THAT(
      [&] {
        conv_block_backward_filter_resident(this->ctx(), shape, nullptr, nullptr, nullptr,
                                            Write::kOverwrite, nullptr, nullptr, nullptr, {});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
}

}  // namespace
}  // namespace gradflip
