#include "kernels/conv2d.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/math_modes.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/conv2d.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr Conv2dShape kConvShapes[] = {
    {.N = 1, .H = 1, .W = 1, .C = 1, .K = 1, .R = 1, .S = 1},
    {.N = 0, .H = 5, .W = 4, .C = 3, .K = 2, .R = 3, .S = 2},
    {.N = 2, .H = 7, .W = 5, .C = 3, .K = 5, .R = 3, .S = 2},
    {.N = 3, .H = 11, .W = 13, .C = 2, .K = 7, .R = 5, .S = 5},
    {.N = 2, .H = 6, .W = 9, .C = 5, .K = 8, .R = 1, .S = 3, .pad_h = 1, .pad_w = 2},
    {.N = 2,
     .H = 9,
     .W = 8,
     .C = 3,
     .K = 9,
     .R = 3,
     .S = 4,
     .stride_h = 2,
     .stride_w = 3,
     .pad_h = 2,
     .pad_w = 1},
    {.N = 1,
     .H = 12,
     .W = 10,
     .C = 4,
     .K = 16,
     .R = 3,
     .S = 2,
     .stride_h = 1,
     .stride_w = 2,
     .pad_h = 1,
     .pad_w = 3,
     .dilation_h = 2,
     .dilation_w = 3},
    {.N = 2, .H = 2, .W = 2, .C = 17, .K = 33, .R = 2, .S = 2},
    // Padding wider than the filter: whole outputs see only zeros.
    {.N = 1, .H = 3, .W = 2, .C = 2, .K = 3, .R = 2, .S = 2, .pad_h = 4, .pad_w = 3},
    // The stride steps over inputs, and rows at the end go unread.
    {.N = 2, .H = 10, .W = 11, .C = 1, .K = 2, .R = 1, .S = 2, .stride_h = 4, .stride_w = 3},
    // Taps meet every other pixel only; gradients need none of dy's first rows; a stride beyond the
    // image.
    {.N = 2,
     .H = 8,
     .W = 5,
     .C = 4,
     .K = 4,
     .R = 4,
     .S = 2,
     .stride_h = 4,
     .stride_w = 7,
     .pad_h = 6,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 3},
};

// Tiles on CUDA are 32 x 32, and 64 deep. Channels in fours are read four at a time.
constexpr Conv2dShape kTileShapes[] = {
    {.N = 1, .H = 4, .W = 8, .C = 16, .K = 32, .R = 1, .S = 1},
    {.N = 1, .H = 3, .W = 11, .C = 13, .K = 33, .R = 1, .S = 1},
    {.N = 1, .H = 1, .W = 35, .C = 13, .K = 31, .R = 1, .S = 5},
    {.N = 3,
     .H = 9,
     .W = 8,
     .C = 8,
     .K = 20,
     .R = 3,
     .S = 3,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 1,
     .pad_w = 1},
    {.N = 2,
     .H = 7,
     .W = 9,
     .C = 12,
     .K = 36,
     .R = 3,
     .S = 2,
     .pad_h = 3,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 3},
};

// Tiles of 128 x 32, and of 128 x 64, where that makes 132 of them.
constexpr Conv2dShape kLargeTileShapes[] = {
    {.N = 5, .H = 60, .W = 59, .C = 3, .K = 5, .R = 2, .S = 2, .pad_h = 1},
    {.N = 2, .H = 92, .W = 92, .C = 36, .K = 36, .R = 1, .S = 1},
};

// More than one block of channels for each instruction set, tails, and what does not fit the cache's
// shares.
constexpr Conv2dShape kCpuShapes[] = {
    {.N = 2, .H = 7, .W = 7, .C = 33, .K = 100, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
    {.N = 2, .H = 9, .W = 11, .C = 40, .K = 17, .R = 1, .S = 1},
    {.N = 1,
     .H = 9,
     .W = 8,
     .C = 70,
     .K = 65,
     .R = 5,
     .S = 5,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 2},
    {.N = 1, .H = 70, .W = 90, .C = 9, .K = 8, .R = 3, .S = 2, .pad_h = 2, .dilation_h = 2},
    {.N = 1, .H = 4, .W = 2100, .C = 18, .K = 5, .R = 3, .S = 3, .pad_w = 1, .dilation_w = 7},
    {.N = 1, .H = 90, .W = 81, .C = 6, .K = 5, .R = 1, .S = 1},
};

std::string name_of(const Conv2dShape& shape) {
  return testing::PrintToString(std::vector<std::int64_t>{
      shape.N, shape.H, shape.W, shape.C, shape.K, shape.R, shape.S, shape.stride_h, shape.stride_w,
      shape.pad_h, shape.pad_w, shape.dilation_h, shape.dilation_w});
}

struct Tensors {
  explicit Tensors(const Conv2dShape& shape)
      : x(random_floats(shape.N * shape.H * shape.W * shape.C, 1)),
        filter(random_floats(shape.R * shape.S * shape.C * shape.K, 2)),
        dy(random_floats(shape.N * reference::conv2d_output_height(shape) *
                             reference::conv2d_output_width(shape) * shape.K,
                         3)) {}
  std::vector<float> x, filter, dy;
};

Tensors representable(Tensors tensors, Math math) {
  tensors.x = representable(std::move(tensors.x), math);
  tensors.filter = representable(std::move(tensors.filter), math);
  tensors.dy = representable(std::move(tensors.dy), math);
  return tensors;
}

TEST(Conv2dShapeTest, OutputSizeCountsThePlacesWhereTheFilterFits) {
  for (const Conv2dShape& shape : kConvShapes) {
    EXPECT_EQ(shape.P(), reference::conv2d_output_height(shape)) << name_of(shape);
    EXPECT_EQ(shape.Q(), reference::conv2d_output_width(shape)) << name_of(shape);
  }
}

TEST(Conv2dReferenceTest, BackwardIsTheDerivative) {
  constexpr Conv2dShape kShape = {.N = 2,
                                  .H = 5,
                                  .W = 6,
                                  .C = 2,
                                  .K = 3,
                                  .R = 3,
                                  .S = 2,
                                  .stride_h = 2,
                                  .pad_h = 1,
                                  .pad_w = 1,
                                  .dilation_w = 2};
  const Tensors tensors(kShape);
  const std::vector<double> x = widen(tensors.x);
  const std::vector<double> filter = widen(tensors.filter);
  const std::vector<double> dy = widen(tensors.dy);
  const auto of_x = [&](const std::vector<double>& changed) {
    return reference::conv2d_forward(kShape, changed, filter).value;
  };
  const auto of_filter = [&](const std::vector<double>& changed) {
    return reference::conv2d_forward(kShape, x, changed).value;
  };
  EXPECT_TRUE(gradients_match(reference::conv2d_backward_data(kShape, dy, filter).value,
                              central_differences(of_x, x, dy)));
  EXPECT_TRUE(gradients_match(reference::conv2d_backward_filter(kShape, x, dy).value,
                              central_differences(of_filter, filter, dy)));
}

// Worked by hand, as the reference and the kernels could share a misreading of the layout.
TEST(Conv2dReferenceTest, LayoutsAreNhwcRsckNpqk) {
  constexpr Conv2dShape kShape = {.N = 1, .H = 1, .W = 2, .C = 2, .K = 2, .R = 1, .S = 2};
  // Pixels (1, 2) and (3, 4); filter[0,s,c,k] = 1000, 100, ... by place.
  const std::vector<double> x = {1, 2, 3, 4};
  const std::vector<double> filter = {1000, 7, 100, 0, 10, 0, 1, 0};
  EXPECT_EQ(reference::conv2d_forward(kShape, x, filter).value, (std::vector<double>{1234, 7}));
}

struct Results {
  std::vector<float> y, dx, dfilter;
  friend bool operator==(const Results&, const Results&) = default;
};

template <typename Ctx>
class Conv2dTest : public BackendTest<Ctx> {
 protected:
  // All bits set: NaN as floats.
  auto workspace_for(const Conv2dShape& shape) {
    const auto bytes = static_cast<std::size_t>(conv2d_workspace_bytes(this->ctx(), shape));
    return this->upload(std::vector<std::uint8_t>(bytes, std::uint8_t{0xFF}));
  }

  std::vector<float> forward(const Conv2dShape& shape, const Tensors& tensors,
                             const std::vector<float>& bias = {},
                             const Rectifier& rectifier = kIdentity, Base base = Base::kAligned) {
    const auto x = this->upload(tensors.x, base);
    const auto filter = this->upload(tensors.filter, base);
    const auto bias_at = this->upload(bias, base);
    auto y = this->poisoned(static_cast<std::int64_t>(tensors.dy.size()), base);
    auto workspace = workspace_for(shape);
    conv2d_forward(this->ctx(), shape, x.data(), filter.data(),
                   {bias.empty() ? nullptr : bias_at.data(), rectifier}, y.data(),
                   workspace.data());
    return y.read();
  }

  Results all(const Conv2dShape& shape, const Tensors& tensors, Base base = Base::kAligned) {
    const auto x = this->upload(tensors.x, base);
    const auto filter = this->upload(tensors.filter, base);
    const auto dy = this->upload(tensors.dy, base);
    auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()), base);
    auto workspace = workspace_for(shape);
    conv2d_backward_data(this->ctx(), shape, dy.data(), filter.data(), dx.data(), workspace.data());
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kOverwrite,
                           dfilter.data(), workspace.data());
    return {forward(shape, tensors, {}, kIdentity, base), dx.read(), dfilter.read()};
  }

  void expect_all_match(const Conv2dShape& shape, const Tensors& tensors, double tolerance,
                        Base base = Base::kAligned) {
    const std::vector<double> x = widen(tensors.x);
    const std::vector<double> filter = widen(tensors.filter);
    const std::vector<double> dy = widen(tensors.dy);
    const reference::Sums y = reference::conv2d_forward(shape, x, filter);
    const reference::Sums dx = reference::conv2d_backward_data(shape, dy, filter);
    const reference::Sums dfilter = reference::conv2d_backward_filter(shape, x, dy);
    const Results got = all(shape, tensors, base);
    EXPECT_TRUE(all_close(got.y, y, tolerance));
    EXPECT_TRUE(all_close(got.dx, dx, tolerance));
    EXPECT_TRUE(all_close(got.dfilter, dfilter, tolerance));
  }
};
TYPED_TEST_SUITE(Conv2dTest, Backends, BackendNames);

TYPED_TEST(Conv2dTest, MatchesReference) {
  for (const Conv2dShape& shape : kConvShapes) {
    SCOPED_TRACE(name_of(shape));
    for_each_simd_target<TypeParam>([&] {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        this->expect_all_match(shape, Tensors(shape), kSum, base);
      }
    });
  }
}

TYPED_TEST(Conv2dTest, BackwardFilterAddsToWhatIsThere) {
  for (const Conv2dShape& shape : kConvShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const auto x = this->upload(tensors.x);
    const auto dy = this->upload(tensors.dy, Base::kOffByOne);
    auto workspace = this->workspace_for(shape);
    const reference::Sums want =
        reference::conv2d_backward_filter(shape, widen(tensors.x), widen(tensors.dy));
    auto added = this->upload(tensors.filter, Base::kOffByOne);
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kAccumulate,
                           added.data(), workspace.data());
    EXPECT_TRUE(all_close(added.read(), reference::accumulated(want, tensors.filter), kSum));
  }
}

std::vector<double> rectified(const Rectifier& rectifier, std::vector<double> values) {
  for (double& value : values) {
    value = value > 0.0 ? std::min<double>(value, rectifier.cap) : rectifier.slope * value;
  }
  return values;
}

TYPED_TEST(Conv2dTest, EpilogueIsBiasThenRectifier) {
  for (const Conv2dShape& shape : kConvShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const std::vector<float> bias = random_floats(shape.K, 4);
    const reference::Sums plain =
        reference::conv2d_forward(shape, widen(tensors.x), widen(tensors.filter));
    reference::Sums biased = plain;
    for (std::size_t i = 0; i < biased.value.size(); ++i) {
      biased.add(static_cast<std::int64_t>(i), bias[i % bias.size()]);
    }
    for (const Rectifier& rectifier :
         {kIdentity, Rectifier{}, Rectifier{.slope = 0.1F}, Rectifier{.cap = 0.25F}}) {
      for_each_simd_target<TypeParam>([&] {
        for (const Base base : {Base::kAligned, Base::kOffByOne}) {
          EXPECT_TRUE(all_close(this->forward(shape, tensors, bias, rectifier, base),
                                rectified(rectifier, biased.value), biased.scale, kSum));
        }
        EXPECT_TRUE(all_close(this->forward(shape, tensors, {}, rectifier),
                              rectified(rectifier, plain.value), plain.scale, kSum));
      });
    }
  }
}

// And no rectifier makes a number of a NaN.
TYPED_TEST(Conv2dTest, NanReachesWhatItMeetsOnly) {
  for (const Conv2dShape& shape : kConvShapes) {
    if (shape.N == 0) continue;
    SCOPED_TRACE(name_of(shape));
    Tensors tensors(shape);
    tensors.x[tensors.x.size() / 2] = std::nanf("");
    tensors.dy[tensors.dy.size() / 2] = std::nanf("");
    const reference::Sums y =
        reference::conv2d_forward(shape, widen(tensors.x), widen(tensors.filter));
    const reference::Sums dx =
        reference::conv2d_backward_data(shape, widen(tensors.dy), widen(tensors.filter));
    for_each_simd_target<TypeParam>([&] {
      Conv2dShape modes = shape;
      const auto expect_same = [](const std::vector<float>& got, const std::vector<double>& want) {
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_EQ(std::isnan(got[i]), std::isnan(want[i])) << i;
        }
      };
      for (const Math math : {Math::kF32, Math::kBf16}) {
        modes.math = math;
        expect_same(this->forward(modes, tensors, {}, Rectifier{.cap = 6.0F}), y.value);
        expect_same(this->all(modes, tensors).dx, dx.value);
      }
    });
  }
}

// On the CPU shards of a batch make what the batch makes.
class Conv2dCpuTest : public Conv2dTest<Cpu> {};

TEST_F(Conv2dCpuTest, AnImageDoesNotDependOnTheOthers) {
  const auto expect_same = [&](Conv2dShape shape) {
    SCOPED_TRACE(name_of(shape));
    shape.N = 3;
    const Tensors tensors(shape);
    const Results want = all(shape, tensors);
    shape.N = 1;
    Tensors last(shape);
    std::copy(tensors.x.end() - std::ssize(last.x), tensors.x.end(), last.x.begin());
    std::copy(tensors.dy.end() - std::ssize(last.dy), tensors.dy.end(), last.dy.begin());
    const Results got = all(shape, last);
    EXPECT_TRUE(std::equal(got.y.begin(), got.y.end(), want.y.end() - std::ssize(got.y)));
    EXPECT_TRUE(std::equal(got.dx.begin(), got.dx.end(), want.dx.end() - std::ssize(got.dx)));
  };
  for_each_simd_target<Cpu>([&] {
    for (const Conv2dShape& shape : kConvShapes) expect_same(shape);
  });
  for (Conv2dShape shape : kCpuShapes) {
    expect_same(shape);
    shape.math = Math::kBf16;
    expect_same(shape);
  }
}

// Filters, strides, padding and dilations against each other: gradients with a stride meet each tap
// in one class of pixels, some classes none, and may need fewer rows of dy than there are.
TEST_F(Conv2dCpuTest, EveryGeometryMatchesReference) {
  for (const std::int64_t taps : {1, 2, 3, 5}) {
    for (const std::int64_t stride : {1, 2, 3, 6}) {
      for (const std::int64_t pad : {0, 1, 4}) {
        for (const std::int64_t dilation : {1, 2, 4}) {
          Conv2dShape shape = {.N = 1, .H = 9, .W = 7, .C = 2, .K = 3, .R = taps, .S = 2};
          shape.stride_h = stride;
          shape.stride_w = 7 - stride;
          shape.pad_h = pad;
          shape.pad_w = (pad + 1) % 5;
          shape.dilation_h = dilation;
          shape.dilation_w = 5 - dilation;
          if (shape.H + 2 * pad <= dilation * (taps - 1)) continue;
          if (shape.W + 2 * shape.pad_w <= shape.dilation_w) continue;
          SCOPED_TRACE(name_of(shape));
          for_each_simd_target<Cpu>([&] { expect_all_match(shape, Tensors(shape), kSum); });
        }
      }
    }
  }
}

// Blocks of channels, tails of them, bands of large images, and a filter that outgrows its share of
// the cache.
TEST_F(Conv2dCpuTest, BlocksAndBandsMatchReference) {
  for (const Conv2dShape& shape : kCpuShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const std::vector<double> x = widen(tensors.x), filter = widen(tensors.filter);
    const std::vector<double> dy = widen(tensors.dy);
    const reference::Sums want_y = reference::conv2d_forward(shape, x, filter);
    const reference::Sums want_dx = reference::conv2d_backward_data(shape, dy, filter);
    const reference::Sums want_dfilter = reference::conv2d_backward_filter(shape, x, dy);
    const auto expect_close = [&](const Conv2dShape& some, double tolerance) {
      const Results got = all(some, tensors);
      EXPECT_TRUE(all_close(got.y, want_y, tolerance));
      EXPECT_TRUE(all_close(got.dx, want_dx, tolerance));
      EXPECT_TRUE(all_close(got.dfilter, want_dfilter, tolerance));
      EXPECT_EQ(all(some, tensors, Base::kOffByOne), got) << "off by one";
    };
    for_each_simd_target<Cpu>([&] { expect_close(shape, kSum); });
    Conv2dShape rounding = shape;
    rounding.math = Math::kBf16;
    expect_close(rounding, kSumBf16);
  }
}

TYPED_TEST(Conv2dTest, MathModesRoundNoMoreThanTheyMay) {
  for (Conv2dShape shape : kTileShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    for (const Math math : kMaths) {
      shape.math = math;
      this->expect_all_match(shape, tensors, sum_tolerance(math));
    }
  }
}

TYPED_TEST(Conv2dTest, LargeTilesRoundNoMoreThanTheyMay) {
  for (Conv2dShape shape : kLargeTileShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    for (const Math math : kMaths) {
      shape.math = math;
      this->expect_all_match(shape, tensors, sum_tolerance(math));
    }
  }
}

TYPED_TEST(Conv2dTest, MathModesKeepWhatTheyCanRepresent) {
  for (Conv2dShape shape : kConvShapes) {
    SCOPED_TRACE(name_of(shape));
    for (const Math math : kMaths) {
      shape.math = math;
      this->expect_all_match(shape, representable(Tensors(shape), math), kSum);
    }
  }
}

TYPED_TEST(Conv2dTest, ChannelsInFoursNeedNoAlignment) {
  for (const Conv2dShape& shape : {kTileShapes[0], kTileShapes[3], kTileShapes[4]}) {
    SCOPED_TRACE(name_of(shape));
    this->expect_all_match(shape, Tensors(shape), kSum, Base::kOffByOne);
  }
}

TYPED_TEST(Conv2dTest, FewerImagesNeedNoLargerWorkspace) {
  for (const Conv2dShape& shape : kTileShapes) {
    std::int64_t before = 0;
    Conv2dShape some = shape;
    for (some.N = 0; some.N < 70; ++some.N) {
      const std::int64_t bytes = conv2d_workspace_bytes(this->ctx(), some);
      EXPECT_GE(bytes, before) << name_of(some);
      before = bytes;
    }
  }
}

TYPED_TEST(Conv2dTest, RepeatsBitForBit) {
  const Conv2dShape& shape = kConvShapes[3];
  const Tensors tensors(shape);
  const auto x = this->upload(tensors.x);
  const auto dy = this->upload(tensors.dy);
  auto workspace = this->workspace_for(shape);
  std::vector<float> runs[2];
  for (std::vector<float>& run : runs) {
    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()));
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kOverwrite,
                           dfilter.data(), workspace.data());
    run = dfilter.read();
  }
  EXPECT_EQ(runs[0], runs[1]);
}

constexpr Conv2dShape kGood = {.N = 1, .H = 4, .W = 5, .C = 1, .K = 1, .R = 3, .S = 3};

TYPED_TEST(Conv2dTest, RefusesBadGeometryWithItsNumbers) {
  const auto run = [&](void (*spoil)(Conv2dShape&)) {
    return [this, spoil] {
      Conv2dShape shape = kGood;
      spoil(shape);
      conv2d_forward(this->ctx(), shape, nullptr, nullptr, {}, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.N = -1; }), refused("N is -1"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.C = 0; }), refused("0 channels"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.K = -2; }), refused("-2 filters"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.H = 0; }), refused("height of the image is 0"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.S = 0; }), refused("of the filter 0"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.stride_w = 0; }), refused("stride is 0"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.pad_h = -1; }), refused("padding -1"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.dilation_w = 0; }), refused("dilation 0"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.R = 5; }),
              refused("filter spans 5 along the height, the padded image has 4"));
  EXPECT_THAT(run([](Conv2dShape& shape) { shape.dilation_w = 3; }),
              refused("filter spans 7 along the width, the padded image has 5"));

  Conv2dShape bad = kGood;
  bad.stride_h = 0;
  EXPECT_THROW(conv2d_backward_data(this->ctx(), bad, nullptr, nullptr, nullptr, nullptr),
               std::invalid_argument);
  EXPECT_THROW(conv2d_backward_filter(this->ctx(), bad, nullptr, nullptr, Write::kOverwrite,
                                      nullptr, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
