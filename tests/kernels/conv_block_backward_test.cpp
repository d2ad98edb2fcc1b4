#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tests/kernels/conv_block_cases.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/compare.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;

template <typename Ctx>
class ConvBlockBackwardTest : public ConvBlockTest<Ctx> {};
TYPED_TEST_SUITE(ConvBlockBackwardTest, Backends, BackendNames);

TYPED_TEST(ConvBlockBackwardTest, BackwardDataMatchesReference) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    const ConvBlockTensors tensors(shape);
    const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                          tensors.winner, widen(tensors.filter));
    for_each_simd_target<TypeParam>([&] {
      const std::vector<float> dx = this->backward_data(shape, tensors);
      EXPECT_TRUE(all_close(dx, want, kSum));
      EXPECT_EQ(this->backward_data(shape, tensors, Base::kOffByOne), dx) << "off by one";
    });
  }
}

TYPED_TEST(ConvBlockBackwardTest, BackwardFilterMatchesReference) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    const ConvBlockTensors tensors(shape);
    const auto want = reference::conv_block_backward_filter(shape, widen(tensors.x),
                                                            widen(tensors.dpooled), tensors.winner);
    for_each_simd_target<TypeParam>([&] {
      const ConvBlockFilterGradient got = this->backward_filter(shape, tensors);
      EXPECT_TRUE(all_close(got.dfilter, want.dfilter, kSum));
      EXPECT_TRUE(all_close(got.dbias, want.dbias, kSum));
      EXPECT_EQ(this->backward_filter(shape, tensors, Base::kOffByOne), got) << "off by one";

      auto dfilter = this->upload(tensors.filter, Base::kOffByOne);
      auto dbias = this->upload(tensors.bias);
      this->run_backward_filter(shape, tensors, Write::kAccumulate, Base::kAligned, dfilter.data(),
                                dbias.data());
      EXPECT_TRUE(all_close(dfilter.read(), accumulated(want.dfilter, tensors.filter), kSum));
      EXPECT_TRUE(all_close(dbias.read(), accumulated(want.dbias, tensors.bias), kSum));
    });
  }
}

TYPED_TEST(ConvBlockBackwardTest, ModesRoundOperandsOnly) {
  for (const Math math : kRoundingModes) {
    for (ConvBlockShape shape : kConvBlockShapes) {
      shape.conv.math = math;
      SCOPED_TRACE(name_of(shape));
      const auto matches_reference = [&](const ConvBlockTensors& tensors, double tolerance) {
        const auto want_data = reference::conv_block_backward_data(
            shape, widen(tensors.dpooled), tensors.winner, widen(tensors.filter));
        EXPECT_TRUE(all_close(this->backward_data(shape, tensors), want_data, tolerance));
        const auto want = reference::conv_block_backward_filter(
            shape, widen(tensors.x), widen(tensors.dpooled), tensors.winner);
        const ConvBlockFilterGradient got = this->backward_filter(shape, tensors);
        EXPECT_TRUE(all_close(got.dfilter, want.dfilter, tolerance));
        EXPECT_TRUE(all_close(got.dbias, want.dbias, tolerance));
      };
      const ConvBlockTensors tensors(shape);
      matches_reference(tensors, sum_tolerance(math));
      matches_reference(representable(tensors, math), kSum);
    }
  }
}

TYPED_TEST(ConvBlockBackwardTest, RepeatsBitForBit) {
  for (const Math math : {Math::kF32, Math::kTf32, Math::kBf16}) {
    ConvBlockShape shape = kConvBlockShapes.front();
    shape.conv.N = 3;
    shape.conv.math = math;
    const ConvBlockTensors tensors(shape);
    EXPECT_EQ(this->backward_filter(shape, tensors), this->backward_filter(shape, tensors));
    EXPECT_EQ(this->backward_data(shape, tensors), this->backward_data(shape, tensors));
  }
}

TYPED_TEST(ConvBlockBackwardTest, WorkspaceIsEnoughForSmallerBatches) {
  for (ConvBlockShape shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    std::int64_t bytes = 0;
    for (std::int64_t N = 0; N < 5000; N = N * 3 / 2 + 1) {
      shape.conv.N = N;
      const std::int64_t more = conv_block_workspace_bytes(this->ctx(), shape);
      EXPECT_GE(more, bytes) << N;
      bytes = more;
    }
  }
}

TYPED_TEST(ConvBlockBackwardTest, NanGradientsPass) {
  for_each_simd_target<TypeParam>([this] {
    for (const ConvBlockShape& shape : kConvBlockShapes) {
      if (shape.conv.N == 0) continue;
      SCOPED_TRACE(name_of(shape));
      ConvBlockTensors tensors(shape);
      const std::size_t middle = tensors.dpooled.size() / 2;
      tensors.dpooled[middle] = kQuietNan;
      tensors.winner[middle] = 0;
      const auto want_data = reference::conv_block_backward_data(
          shape, widen(tensors.dpooled), tensors.winner, widen(tensors.filter));
      const std::vector<float> dx = this->backward_data(shape, tensors);
      for (std::size_t i = 0; i < dx.size(); ++i) {
        ASSERT_EQ(std::isnan(dx[i]), std::isnan(want_data.value[i])) << i;
      }
      const ConvBlockFilterGradient got = this->backward_filter(shape, tensors);
      const std::size_t k = middle % static_cast<std::size_t>(shape.conv.K);
      for (std::size_t i = 0; i < got.dbias.size(); ++i) {
        ASSERT_EQ(std::isnan(got.dbias[i]), i == k) << i;
      }
      for (std::size_t i = 0; i < got.dfilter.size(); ++i) {
        // Padding may have kept it from some of the channel's taps, never from another channel.
        ASSERT_TRUE(!std::isnan(got.dfilter[i]) || i % got.dbias.size() == k) << i;
      }
    }
  });
}

// With tickets the parts of a sum are added in the launch that makes them.
TYPED_TEST(ConvBlockBackwardTest, WatchedFilterGradientsMatchReference) {
  std::vector<ConvBlockShape> shapes = kConvBlockShapes;
  // So many parts on a GPU that they are added in groups; with vectors and without.
  shapes.push_back({.conv = {.N = 3, .H = 41, .W = 40, .C = 1, .K = 3, .R = 2, .S = 2}});
  shapes.push_back({.conv = {.N = 3, .H = 42, .W = 41, .C = 4, .K = 8, .R = 2, .S = 2}});
  for (const ConvBlockShape& shape : shapes) {
    SCOPED_TRACE(name_of(shape));
    ConvBlockTensors tensors(shape);
    const auto size = static_cast<std::int64_t>(tensors.filter.size());
    for (const bool finite : {true, false}) {
      if (!finite && tensors.dpooled.empty()) continue;
      if (!finite) {
        tensors.dpooled.back() = kQuietNan;
        tensors.winner.back() = 0;
      }
      const auto want = reference::conv_block_backward_filter(
          shape, widen(tensors.x), widen(tensors.dpooled), tensors.winner);
      auto gradients = this->poisoned(size + shape.conv.K);
      auto state = this->upload(std::vector<StepState>(1));
      float* dfilter = gradients.data();
      this->run_backward_filter(shape, tensors, Write::kOverwrite, Base::kAligned, dfilter,
                                dfilter + size, {state.data(), gradients.data()});
      const std::vector<float> got = gradients.read();
      const std::vector<float> got_filter(got.begin(), got.begin() + size);
      if (finite) {
        EXPECT_TRUE(all_close(got_filter, want.dfilter, kSum));
      }
      const auto first =
          std::find_if_not(got.begin(), got.end(), [](float g) { return std::isfinite(g); });
      StepState left = state.read()[0];
      EXPECT_EQ(left.first_non_finite,
                finite ? StepState::kAllFinite : static_cast<std::uint64_t>(first - got.begin()));
      EXPECT_NE(first == got.end(), !finite);
      EXPECT_TRUE(std::all_of(std::begin(left.tickets), std::end(left.tickets),
                              [](std::uint32_t ticket) { return ticket == 0; }));
    }
  }
}

}  // namespace
}  // namespace gradflip
