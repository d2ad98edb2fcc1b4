// The kernels of conv_block for its plain case, beside the reference and on what they are only just
// good for; and what conv_block gives to them. On CUDA only.
#include "kernels/conv_block/cuda/conv_block_resident.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/conv_block_cases.h"
#include "tests/support/math_modes.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr Math kTensorMaths[] = {Math::kTf32, Math::kBf16};

// Tiles are 12 x 12 pixels by 32 channels (data) or 16 windows by 24 or 32 filters (forward), steps
// are 16 channels deep, and three of four such steps each are under way.
const std::vector<ConvBlockShape> kShapes = {
    {.conv = {.N = 3, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5}},
    {.conv = {.N = 0, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5}},
    {.conv = {.N = 1, .H = 2, .W = 2, .C = 16, .K = 16, .R = 1, .S = 1}},
    {.conv = {.N = 7, .H = 3, .W = 5, .C = 16, .K = 16, .R = 2, .S = 3}},
    {.conv = {.N = 2, .H = 11, .W = 13, .C = 48, .K = 32, .R = 3, .S = 2}},
    {.conv = {.N = 2, .H = 13, .W = 11, .C = 16, .K = 80, .R = 2, .S = 4}},
    {.conv = {.N = 1, .H = 25, .W = 10, .C = 64, .K = 16, .R = 1, .S = 5}},
    {.conv = {.N = 2, .H = 9, .W = 26, .C = 16, .K = 64, .R = 7, .S = 1}},
    {.conv = {.N = 2, .H = 12, .W = 12, .C = 32, .K = 16, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1}},
    {.conv = {.N = 2, .H = 8, .W = 9, .C = 16, .K = 32, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2}},
};

const ConvBlockShape kFirstLayer = {
    .conv = {.N = 3, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5}};

template <typename Body>
void for_each_shape(const std::vector<ConvBlockShape>& shapes, const Body& body) {
  for (ConvBlockShape shape : shapes) {
    for (const Math math : kTensorMaths) {
      shape.conv.math = math;
      SCOPED_TRACE(name_of(shape));
      body(shape);
    }
  }
}

// With channels of x on both sides of a vector and of a block; and padding wider than the filter,
// behind which there are windows that see no pixel.
std::vector<ConvBlockShape> data_shapes() {
  std::vector<ConvBlockShape> shapes = kShapes;
  shapes.push_back(
      {.conv = {.N = 1, .H = 5, .W = 4, .C = 16, .K = 16, .R = 2, .S = 2, .pad_h = 4, .pad_w = 3}});
  for (const std::int64_t C : {4, 28, 36}) {
    shapes.push_back({.conv = {.N = 2, .H = 6, .W = 7, .C = C, .K = 16, .R = 2, .S = 2}});
  }
  return shapes;
}

// With filters on both sides of a vector and of both widths of a block; and with windows that end
// a piece within a row, and an image within a piece.
std::vector<ConvBlockShape> forward_shapes() {
  std::vector<ConvBlockShape> shapes = kShapes;
  for (const std::int64_t K : {4, 20, 24, 28, 32, 36}) {
    shapes.push_back({.conv = {.N = 2, .H = 6, .W = 7, .C = 16, .K = K, .R = 2, .S = 2}});
  }
  for (const std::int64_t W : {13, 31, 35}) {
    shapes.push_back({.conv = {.N = 3, .H = 9, .W = W, .C = 16, .K = 8, .R = 2, .S = 2}});
  }
  // More pieces than multiprocessors: two to a block, the last one alone.
  shapes.push_back({.conv = {.N = 133, .H = 3, .W = 3, .C = 16, .K = 8, .R = 1, .S = 1}});
  // As many on a GPU with 20 multiprocessors, and two do not fit 99 KiB in tf32.
  shapes.push_back(
      {.conv = {
           .N = 4, .H = 12, .W = 12, .C = 64, .K = 48, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1}});
  return shapes;
}

// Of the few channels that a first layer has, too; with taps on both sides of a fragment and of a
// block, steps that end within an image, and more images than stages or parts.
std::vector<ConvBlockShape> filter_shapes() {
  std::vector<ConvBlockShape> shapes = kShapes;
  shapes.pop_back();  // more taps in a row than a block has
  std::erase_if(shapes, [](const ConvBlockShape& shape) { return shape.conv.S > 5; });
  const std::vector<ConvBlockShape> more = {
      kFirstLayer,
      {.conv = {.N = 35, .H = 3, .W = 4, .C = 1, .K = 4, .R = 1, .S = 1}},
      {.conv = {.N = 135, .H = 4, .W = 4, .C = 1, .K = 8, .R = 2, .S = 3}},
      {.conv = {.N = 3, .H = 7, .W = 8, .C = 5, .K = 28, .R = 3, .S = 3}},
      {.conv = {.N = 3, .H = 9, .W = 8, .C = 16, .K = 36, .R = 6, .S = 5}},
      {.conv = {.N = 2, .H = 7, .W = 8, .C = 8, .K = 44, .R = 2, .S = 2}},
      {.conv = {.N = 2, .H = 6, .W = 12, .C = 8, .K = 20, .R = 2, .S = 10}},
      {.conv = {.N = 2, .H = 6, .W = 4, .C = 3, .K = 52, .R = 4, .S = 3, .pad_h = 3, .pad_w = 1}},
      {.conv = {.N = 20, .H = 6, .W = 6, .C = 48, .K = 96, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1}},
  };
  shapes.insert(shapes.end(), more.begin(), more.end());
  return shapes;
}

template <typename Ctx>
class ConvBlockResidentTest : public ConvBlockTest<Ctx> {
 protected:
  std::vector<float> data_gradient(const ConvBlockShape& shape, const ConvBlockTensors& tensors) {
    const auto dpooled = this->upload(tensors.dpooled);
    const auto winner = this->upload(tensors.winner);
    const auto filter = this->upload(tensors.filter);
    auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()));
    conv_block_backward_data_resident(this->ctx(), shape, dpooled.data(), winner.data(),
                                      filter.data(), dx.data());
    return dx.read();
  }

  ConvBlockForward pooled(const ConvBlockShape& shape, const ConvBlockTensors& tensors) {
    const auto x = this->upload(tensors.x);
    const auto filter = this->upload(tensors.filter);
    const auto bias = this->upload(tensors.bias, Base::kOffByOne);
    auto pooled = this->poisoned(tensors.pooled_size(), Base::kOffByOne);
    auto winner = this->template poisoned<std::uint8_t>(tensors.pooled_size(), Base::kOffByOne);
    conv_block_forward_resident(this->ctx(), shape, x.data(), filter.data(), bias.data(),
                                pooled.data(), winner.data());
    return {pooled.read(), winner.read()};
  }

  // Overwrites dfilter and dbias, or adds to filter and bias; with tickets or without.
  ConvBlockFilterGradient filter_gradient(const ConvBlockShape& shape,
                                          const ConvBlockTensors& tensors, Write write,
                                          bool watched,
                                          std::uint64_t first_non_finite = StepState::kAllFinite) {
    const auto x = this->upload(tensors.x);
    const auto dpooled = this->upload(tensors.dpooled);
    const auto winner = this->upload(tensors.winner);
    const auto size = static_cast<std::int64_t>(tensors.filter.size());
    std::vector<float> before = tensors.filter;
    before.insert(before.end(), tensors.bias.begin(), tensors.bias.end());
    auto gradients = this->upload(before, Base::kOffByOne);
    auto parts = this->poisoned(conv_block_backward_filter_resident_parts(this->ctx(), shape) *
                                static_cast<std::int64_t>(before.size()));
    auto state = this->upload(std::vector<StepState>(1));
    const GradientWatch watch{watched ? state.data() : nullptr, gradients.data()};
    conv_block_backward_filter_resident(this->ctx(), shape, x.data(), dpooled.data(), winner.data(),
                                        write, gradients.data(), gradients.data() + size,
                                        parts.data(), watch);
    const StepState left = state.read()[0];
    EXPECT_EQ(left.first_non_finite, watched ? first_non_finite : StepState::kAllFinite);
    EXPECT_TRUE(std::all_of(std::begin(left.tickets), std::end(left.tickets),
                            [](std::uint32_t ticket) { return ticket == 0; }));
    const std::vector<float> got = gradients.read();
    return {{got.begin(), got.begin() + size}, {got.begin() + size, got.end()}};
  }
};
using CudaOnly = testing::Types<Cuda>;
TYPED_TEST_SUITE(ConvBlockResidentTest, CudaOnly, BackendNames);

TYPED_TEST(ConvBlockResidentTest, DataGradientMatchesReference) {
  for_each_shape(data_shapes(), [this](const ConvBlockShape& shape) {
    const auto matches = [&](const ConvBlockTensors& tensors, double tolerance) {
      const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                            tensors.winner, widen(tensors.filter));
      EXPECT_TRUE(all_close(this->data_gradient(shape, tensors), want, tolerance));
    };
    const ConvBlockTensors tensors(shape);
    matches(tensors, sum_tolerance(shape.conv.math));
    matches(representable(tensors, shape.conv.math), kSum);
  });
}

TYPED_TEST(ConvBlockResidentTest, DataGradientOfAnImageDoesNotDependOnTheOthers) {
  for_each_shape(kShapes, [this](const ConvBlockShape& shape) {
    if (shape.conv.N < 2) return;
    const ConvBlockTensors all(shape);
    ConvBlockShape single = shape;
    single.conv.N = 1;
    ConvBlockTensors last(single);
    std::copy(all.dpooled.end() - last.pooled_size(), all.dpooled.end(), last.dpooled.begin());
    std::copy(all.winner.end() - last.pooled_size(), all.winner.end(), last.winner.begin());
    const std::vector<float> want = this->data_gradient(shape, all);
    const std::vector<float> got = this->data_gradient(single, last);
    EXPECT_EQ(got, std::vector<float>(want.end() - got.size(), want.end()));
  });
}

TYPED_TEST(ConvBlockResidentTest, ForwardMatchesReference) {
  for_each_shape(forward_shapes(), [this](const ConvBlockShape& shape) {
    const ConvBlockTensors tensors(shape);
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    EXPECT_TRUE(all_close(this->pooled(shape, tensors).pooled, want.pooled,
                          sum_tolerance(shape.conv.math)));
    const ConvBlockTensors exact = representable(tensors, shape.conv.math);
    const auto want_exact = reference::conv_block_forward(shape, widen(exact.x),
                                                          widen(exact.filter), widen(exact.bias));
    const ConvBlockForward got = this->pooled(shape, exact);
    EXPECT_TRUE(all_close(got.pooled, want_exact.pooled, kSum));
    EXPECT_TRUE(reference::winners_match(got.winner, want_exact, shape, kSum));
  });
}

// Whether a block has one piece of an image or two.
TYPED_TEST(ConvBlockResidentTest, ForwardOfAnImageDoesNotDependOnTheOthers) {
  for_each_shape(forward_shapes(), [this](const ConvBlockShape& shape) {
    if (shape.conv.N < 2) return;
    const ConvBlockTensors all(shape);
    ConvBlockShape single = shape;
    single.conv.N = 1;
    ConvBlockTensors last(single);
    std::copy(all.x.end() - last.x.size(), all.x.end(), last.x.begin());
    const ConvBlockForward want = this->pooled(shape, all);
    const ConvBlockForward got = this->pooled(single, last);
    EXPECT_EQ(got.pooled,
              std::vector<float>(want.pooled.end() - last.pooled_size(), want.pooled.end()));
    EXPECT_EQ(got.winner,
              std::vector<std::uint8_t>(want.winner.end() - last.pooled_size(), want.winner.end()));
  });
}

TYPED_TEST(ConvBlockResidentTest, NanWinsAndStays) {
  for_each_shape(kShapes, [this](const ConvBlockShape& shape) {
    if (shape.conv.N == 0) return;
    ConvBlockTensors tensors(shape);
    tensors.x[tensors.x.size() / 2] = -kQuietNan;
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    const ConvBlockForward got = this->pooled(shape, tensors);
    for (std::size_t i = 0; i < got.pooled.size(); ++i) {
      ASSERT_EQ(std::isnan(got.pooled[i]), std::isnan(want.pooled.value[i])) << i;
      if (!std::isnan(got.pooled[i])) continue;
      ASSERT_EQ(got.winner[i], want.winner[i]) << i;
    }
  });
}

TYPED_TEST(ConvBlockResidentTest, NanReachesWhatItWentInto) {
  for_each_shape(kShapes, [this](const ConvBlockShape& shape) {
    if (shape.conv.N == 0) return;
    ConvBlockTensors tensors(shape);
    const std::size_t middle = tensors.dpooled.size() / 2;
    tensors.dpooled[middle] = kQuietNan;
    tensors.winner[middle] = 2;
    const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                          tensors.winner, widen(tensors.filter));
    const std::vector<float> dx = this->data_gradient(shape, tensors);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      ASSERT_EQ(std::isnan(dx[i]), std::isnan(want.value[i])) << i;
    }
  });
}

TYPED_TEST(ConvBlockResidentTest, FilterGradientMatchesReference) {
  for_each_shape(filter_shapes(), [this](const ConvBlockShape& shape) {
    const auto matches = [&](const ConvBlockTensors& tensors, double tolerance) {
      auto want = reference::conv_block_backward_filter(shape, widen(tensors.x),
                                                        widen(tensors.dpooled), tensors.winner);
      const auto got = this->filter_gradient(shape, tensors, Write::kOverwrite, true);
      EXPECT_TRUE(all_close(got.dfilter, want.dfilter, tolerance));
      EXPECT_TRUE(all_close(got.dbias, want.dbias, tolerance));
      return want;
    };
    const ConvBlockTensors tensors(shape);
    matches(tensors, sum_tolerance(shape.conv.math));
    const ConvBlockTensors exact = representable(tensors, shape.conv.math);
    const auto want = matches(exact, kSum);
    const auto got = this->filter_gradient(shape, exact, Write::kAccumulate, false);
    EXPECT_TRUE(all_close(got.dfilter, accumulated(want.dfilter, exact.filter), kSum));
    EXPECT_TRUE(all_close(got.dbias, accumulated(want.dbias, exact.bias), kSum));
  });
}

TYPED_TEST(ConvBlockResidentTest, FilterGradientRepeatsBitForBit) {
  for_each_shape({kShapes.front(), kFirstLayer}, [this](const ConvBlockShape& shape) {
    const ConvBlockTensors tensors(shape);
    const auto first = this->filter_gradient(shape, tensors, Write::kOverwrite, true);
    EXPECT_EQ(this->filter_gradient(shape, tensors, Write::kOverwrite, true), first);
  });
}

TYPED_TEST(ConvBlockResidentTest, NanReachesItsFilterAndIsReported) {
  for_each_shape(filter_shapes(), [this](const ConvBlockShape& shape) {
    if (shape.conv.N == 0) return;
    ConvBlockTensors tensors(shape);
    const std::size_t middle = tensors.dpooled.size() / 2;
    tensors.dpooled[middle] = kQuietNan;
    tensors.winner[middle] = 3;
    const std::size_t k = middle % static_cast<std::size_t>(shape.conv.K);
    const auto want = reference::conv_block_backward_filter(shape, widen(tensors.x),
                                                            widen(tensors.dpooled), tensors.winner);
    // Where padding kept it from a tap, zero times NaN may be one all the same.
    const auto got = this->filter_gradient(shape, tensors, Write::kOverwrite, true, k);
    for (std::size_t i = 0; i < got.dbias.size(); ++i) {
      ASSERT_EQ(std::isnan(got.dbias[i]), i == k) << i;
    }
    for (std::size_t i = 0; i < got.dfilter.size(); ++i) {
      ASSERT_TRUE(!std::isnan(want.dfilter.value[i]) || std::isnan(got.dfilter[i])) << i;
      ASSERT_TRUE(!std::isnan(got.dfilter[i]) || i % got.dbias.size() == k) << i;
    }
  });
}

TYPED_TEST(ConvBlockResidentTest, ConvBlockGivesItThePlainCase) {
  ConvBlockShape shape = kShapes.front();
  shape.conv.math = Math::kTf32;
  const ConvBlockTensors tensors(shape);
  EXPECT_EQ(this->forward(shape, tensors), this->pooled(shape, tensors));
  EXPECT_EQ(this->backward_data(shape, tensors), this->data_gradient(shape, tensors));
  EXPECT_EQ(this->backward_filter(shape, tensors),
            this->filter_gradient(shape, tensors, Write::kOverwrite, false));
}

}  // namespace
}  // namespace gradflip
