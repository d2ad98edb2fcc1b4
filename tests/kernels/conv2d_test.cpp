#include "kernels/conv2d.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

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

template <typename Ctx>
class Conv2dTest : public BackendTest<Ctx> {
 protected:
  // All bits set: NaN as floats.
  auto backward_filter_workspace(const Conv2dShape& shape) {
    const auto bytes =
        static_cast<std::size_t>(conv2d_backward_filter_workspace_bytes(this->ctx(), shape));
    return this->upload(std::vector<std::uint8_t>(bytes, std::uint8_t{0xFF}));
  }

  void expect_all_match(const Conv2dShape& shape, const Tensors& tensors, double tolerance,
                        Base base = Base::kAligned) {
    const auto x = this->upload(tensors.x, base);
    const auto filter = this->upload(tensors.filter, base);
    const auto dy = this->upload(tensors.dy, base);
    auto y = this->poisoned(static_cast<std::int64_t>(tensors.dy.size()), base);
    auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()), base);
    auto workspace = backward_filter_workspace(shape);
    conv2d_forward(this->ctx(), shape, x.data(), filter.data(), y.data());
    conv2d_backward_data(this->ctx(), shape, dy.data(), filter.data(), dx.data());
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kOverwrite,
                           dfilter.data(), workspace.data());

    const std::vector<double> wide_x = widen(tensors.x);
    const std::vector<double> wide_filter = widen(tensors.filter);
    const std::vector<double> wide_dy = widen(tensors.dy);
    EXPECT_TRUE(
        all_close(y.read(), reference::conv2d_forward(shape, wide_x, wide_filter), tolerance));
    EXPECT_TRUE(all_close(dx.read(), reference::conv2d_backward_data(shape, wide_dy, wide_filter),
                          tolerance));
    EXPECT_TRUE(all_close(dfilter.read(), reference::conv2d_backward_filter(shape, wide_x, wide_dy),
                          tolerance));
  }
};
TYPED_TEST_SUITE(Conv2dTest, Backends, BackendNames);

TYPED_TEST(Conv2dTest, ForwardMatchesReference) {
  for (const Conv2dShape& shape : kConvShapes) {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      SCOPED_TRACE(name_of(shape));
      const Tensors tensors(shape);
      const auto x = this->upload(tensors.x, base);
      const auto filter = this->upload(tensors.filter, base);
      auto y = this->poisoned(static_cast<std::int64_t>(tensors.dy.size()), base);
      conv2d_forward(this->ctx(), shape, x.data(), filter.data(), y.data());
      EXPECT_TRUE(all_close(
          y.read(), reference::conv2d_forward(shape, widen(tensors.x), widen(tensors.filter)),
          kSum));
    }
  }
}

TYPED_TEST(Conv2dTest, BackwardDataMatchesReference) {
  for (const Conv2dShape& shape : kConvShapes) {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      SCOPED_TRACE(name_of(shape));
      const Tensors tensors(shape);
      const auto dy = this->upload(tensors.dy, base);
      const auto filter = this->upload(tensors.filter, base);
      auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
      conv2d_backward_data(this->ctx(), shape, dy.data(), filter.data(), dx.data());
      EXPECT_TRUE(all_close(
          dx.read(),
          reference::conv2d_backward_data(shape, widen(tensors.dy), widen(tensors.filter)), kSum));
    }
  }
}

TYPED_TEST(Conv2dTest, BackwardFilterMatchesReference) {
  for (const Conv2dShape& shape : kConvShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const auto x = this->upload(tensors.x);
    const auto dy = this->upload(tensors.dy, Base::kOffByOne);
    auto workspace = this->backward_filter_workspace(shape);
    const reference::Sums want =
        reference::conv2d_backward_filter(shape, widen(tensors.x), widen(tensors.dy));

    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()));
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kOverwrite,
                           dfilter.data(), workspace.data());
    EXPECT_TRUE(all_close(dfilter.read(), want, kSum));

    auto added = this->upload(tensors.filter, Base::kOffByOne);
    conv2d_backward_filter(this->ctx(), shape, x.data(), dy.data(), Write::kAccumulate,
                           added.data(), workspace.data());
    EXPECT_TRUE(all_close(added.read(), reference::accumulated(want, tensors.filter), kSum));
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
      const std::int64_t bytes = conv2d_backward_filter_workspace_bytes(this->ctx(), some);
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
  auto workspace = this->backward_filter_workspace(shape);
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
      conv2d_forward(this->ctx(), shape, nullptr, nullptr, nullptr);
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
  EXPECT_THROW(conv2d_backward_data(this->ctx(), bad, nullptr, nullptr, nullptr),
               std::invalid_argument);
  EXPECT_THROW(conv2d_backward_filter(this->ctx(), bad, nullptr, nullptr, Write::kOverwrite,
                                      nullptr, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
