#include <algorithm>

#include "kernels/conv2d.h"
#include "kernels/max_pool2d.h"
#include "kernels/softmax_cross_entropy.h"
#include "tests/cross_check/cross_check.h"
#include "tests/cross_check/cudnn_conv.h"
#include "tests/cross_check/cudnn_handles.h"

namespace gradflip {
namespace {

using Values = std::vector<float>;

// Large enough that the double reference would take minutes; every kind of geometry.
const std::vector<Conv2dShape> kShapes = {
    {.N = 64, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5},
    {.N = 64, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5},
    {.N = 16, .H = 56, .W = 40, .C = 24, .K = 40, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
    {.N = 8,
     .H = 33,
     .W = 47,
     .C = 7,
     .K = 19,
     .R = 3,
     .S = 5,
     .stride_h = 2,
     .stride_w = 3,
     .pad_h = 1,
     .pad_w = 2},
    {.N = 8,
     .H = 40,
     .W = 31,
     .C = 16,
     .K = 24,
     .R = 3,
     .S = 3,
     .pad_h = 2,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 2},
    {.N = 32, .H = 14, .W = 14, .C = 128, .K = 64, .R = 1, .S = 1},
};

std::string name_of(const Conv2dShape& shape) {
  return std::string(text_of(shape.math)) + " " +
         testing::PrintToString(std::vector<std::int64_t>{
             shape.N, shape.H, shape.W, shape.C, shape.K, shape.R, shape.S, shape.stride_h,
             shape.stride_w, shape.pad_h, shape.pad_w, shape.dilation_h, shape.dilation_w});
}

// N x positions x C to N x C x positions; the other way round with the last two swapped.
Values channels_first(const Values& values, std::int64_t positions, std::int64_t channels) {
  Values moved(values.size());
  const std::int64_t image = positions * channels;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(values.size()); ++i) {
    const std::int64_t n = i / image, position = i % image / channels, c = i % channels;
    moved[n * image + c * positions + position] = values[i];
  }
  return moved;
}

class CudnnCrossCheckTest : public CrossCheckTest {
 protected:
  struct Operands {
    Values x, filter, dy;  // NHWC, RSCK, NPQK
    Operands magnitude() const { return {magnitudes(x), magnitudes(filter), magnitudes(dy)}; }
  };
  struct Results {
    Values y, dx, dfilter;
  };

  static Operands random_operands(const Conv2dShape& shape) {
    return {random_floats(shape.N * shape.H * shape.W * shape.C, 1),
            random_floats(shape.R * shape.S * shape.C * shape.K, 2),
            random_floats(shape.N * shape.P() * shape.Q() * shape.K, 3)};
  }

  Results ours(const Conv2dShape& shape, const Operands& operands) {
    const auto x = upload(operands.x), filter = upload(operands.filter), dy = upload(operands.dy);
    auto y = poisoned(dy.size()), dx = poisoned(x.size()), dfilter = poisoned(filter.size());
    auto workspace = poisoned<std::uint8_t>(conv2d_workspace_bytes(ctx(), shape));
    conv2d_forward(ctx(), shape, x.data(), filter.data(), {}, y.data(), workspace.data());
    conv2d_backward_data(ctx(), shape, dy.data(), filter.data(), dx.data(), workspace.data());
    conv2d_backward_filter(ctx(), shape, x.data(), dy.data(), Write::kOverwrite, dfilter.data(),
                           workspace.data());
    return {y.read(), dx.read(), dfilter.read()};
  }

  // In NCHW and KCRS, where cuDNN knows every geometry, and back.
  Results theirs(const Conv2dShape& shape, const Operands& operands) {
    const std::int64_t in = shape.H * shape.W, out = shape.P() * shape.Q();
    const std::int64_t taps = shape.R * shape.S;
    const auto x = upload(channels_first(operands.x, in, shape.C));
    const auto dy = upload(channels_first(operands.dy, out, shape.K));
    // RSCK: taps x C x K, to K x taps x C, to K x C x taps.
    const auto filter = upload(
        channels_first(channels_first(operands.filter, taps * shape.C, shape.K), taps, shape.C));
    auto y = poisoned(dy.size()), dx = poisoned(x.size()), dfilter = poisoned(filter.size());
    const CudnnConv cudnn(ctx(), {.conv = shape, .pool_h = 1, .pool_w = 1}, {});
    cudnn.forward(x.data(), filter.data(), y.data());
    cudnn.backward_data(dy.data(), filter.data(), dx.data());
    cudnn.backward_filter(x.data(), dy.data(), dfilter.data());
    return {channels_first(y.read(), shape.K, out), channels_first(dx.read(), shape.C, in),
            channels_first(channels_first(dfilter.read(), shape.C, taps), shape.K, taps * shape.C)};
  }
};

TEST_F(CudnnCrossCheckTest, ConvolutionForwardAndBackward) {
  for (const Conv2dShape& geometry : kShapes) {
    const Operands operands = random_operands(geometry);
    for (const Math math : kMaths) {
      Conv2dShape shape = geometry;
      shape.math = math;
      SCOPED_TRACE(name_of(shape));
      const Results got = ours(shape, operands);
      Conv2dShape exact = geometry;  // cuDNN has no bf16 products of f32 arrays
      if (math == Math::kTf32) exact.math = math;
      const Results want = theirs(exact, operands);
      const Results scale = theirs(exact, operands.magnitude());
      const double tolerance = sum_tolerance(math);
      EXPECT_TRUE(agree(got.y, want.y, scale.y, tolerance));
      EXPECT_TRUE(agree(got.dx, want.dx, scale.dx, tolerance));
      EXPECT_TRUE(agree(got.dfilter, want.dfilter, scale.dfilter, tolerance));
    }
  }
}

TEST_F(CudnnCrossCheckTest, MaxPoolForwardAndBackward) {
  // Values are distinct, so both name the same winner; windows overlap in the second geometry.
  for (const Pool2dShape& shape :
       {Pool2dShape{.N = 8, .H = 24, .W = 24, .C = 16}, Pool2dShape{.N = 4,
                                                        .H = 31,
                                                        .W = 27,
                                                        .C = 20,
                                                        .window_h = 3,
                                                        .window_w = 3,
                                                        .pad_h = 1,
                                                        .pad_w = 1}}) {
    const std::int64_t in = shape.H * shape.W, out = shape.P() * shape.Q();
    const Values x_values = separated_floats(shape.N * in * shape.C, 1);
    const Values dy_values = random_floats(shape.N * out * shape.C, 2);
    const auto x = upload(x_values), dy = upload(dy_values);
    auto y = poisoned(dy.size()), dx = poisoned(x.size());
    auto winner = poisoned<std::int32_t>(dy.size());
    max_pool2d_forward(ctx(), shape, x.data(), y.data(), winner.data());
    max_pool2d_backward(ctx(), shape, dy.data(), winner.data(), dx.data());

    const CudnnHandle handle(ctx());
    const CudnnTensor x_type, y_type;
    describe(x_type, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, shape.N, shape.C, shape.H, shape.W);
    describe(y_type, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, shape.N, shape.C, shape.P(), shape.Q());
    const CudnnPooling pooling;
    const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
    require_success(cudnnSetPooling2dDescriptor(pooling, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN,
                                                narrow(shape.window_h), narrow(shape.window_w),
                                                narrow(shape.pad_h), narrow(shape.pad_w),
                                                narrow(shape.stride_h), narrow(shape.stride_w)),
                    "cudnnSetPooling2dDescriptor");
    const auto their_x = upload(channels_first(x_values, in, shape.C));
    const auto their_dy = upload(channels_first(dy_values, out, shape.C));
    auto their_y = poisoned(dy.size()), their_dx = poisoned(x.size());
    const float one = 1.0F, zero = 0.0F;
    require_success(cudnnPoolingForward(handle, pooling, &one, x_type, their_x.data(), &zero,
                                        y_type, their_y.data()),
                    "cudnnPoolingForward");
    require_success(
        cudnnPoolingBackward(handle, pooling, &one, y_type, their_y.data(), y_type, their_dy.data(),
                             x_type, their_x.data(), &zero, x_type, their_dx.data()),
        "cudnnPoolingBackward");
    EXPECT_EQ(y.read(), channels_first(their_y.read(), shape.C, out));
    // Where windows overlap up to four gradients of magnitude 1 are added, in another order.
    const Values scale(static_cast<std::size_t>(x.size()), 4.0F);
    EXPECT_TRUE(
        agree(dx.read(), channels_first(their_dx.read(), shape.C, in), scale, kElementwise));
  }
}

TEST_F(CudnnCrossCheckTest, SoftmaxGradient) {
  constexpr std::int64_t kRows = 4096, kClasses = 1000;
  const Values logit_values = random_floats(kRows * kClasses, 1);
  const std::vector<std::int32_t> label_values = random_labels(kRows, kClasses, 2);
  const auto logits = upload(logit_values);
  const auto labels = upload(label_values);
  auto loss = poisoned(1), dlogits = poisoned(kRows * kClasses), probs = poisoned(logits.size());
  softmax_cross_entropy(ctx(), {kRows, kClasses}, /*label_smoothing=*/0.0F, Scale{}, logits.data(),
                        labels.data(), Write::kOverwrite, loss.data(), dlogits.data());

  const CudnnHandle handle(ctx());
  const CudnnTensor type;
  describe(type, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, kRows, kClasses, 1, 1);
  const float one = 1.0F, zero = 0.0F;
  require_success(cudnnSoftmaxForward(handle, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_INSTANCE,
                                      &one, type, logits.data(), &zero, type, probs.data()),
                  "cudnnSoftmaxForward");
  Values want = probs.read();
  double want_loss = 0.0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    float& own = want[row * kClasses + label_values[row]];
    want_loss -= std::log(static_cast<double>(own));
    own -= 1.0F;
  }
  // Probabilities of a thousand classes are near 1e-3, the labelled entries near -1.
  Values scale(want.size());
  std::transform(want.begin(), want.end(), scale.begin(),
                 [](float value) { return std::abs(value); });
  EXPECT_TRUE(agree(dlogits.read(), want, scale, kSum));
  EXPECT_NEAR(static_cast<double>(loss.read().front()), want_loss, kSum * want_loss);
}

}  // namespace
}  // namespace gradflip
