// The plain convolution, as layers without a pool run it; forward with bias and rectifier.
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/conv2d_layers.h"
#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/conv2d.h"
#include "tests/support/reference/conv2d.h"

namespace gradflip::bench {
namespace {

using reference::widen;

template <typename Ctx>
struct Conv2dArrays {
  Conv2dArrays(Ctx ctx, const Conv2dShape& shape)
      : context(ctx),
        x(ctx, many_random_floats(sizes_of(shape).x, 1)),
        filter(ctx, many_random_floats(sizes_of(shape).filter, 2)),
        bias(ctx, many_random_floats(shape.K, 4)),
        dy(ctx, many_random_floats(sizes_of(shape).y, 3)),
        y(ctx, sizes_of(shape).y),
        dx(ctx, sizes_of(shape).x),
        dfilter(ctx, sizes_of(shape).filter),
        workspace(ctx, conv2d_workspace_bytes(ctx, shape)) {}

  void forward(const Conv2dShape& shape) const { forward(shape, {bias.data(), Rectifier{}}); }
  void forward(const Conv2dShape& shape, const Conv2dEpilogue& epilogue) const {
    conv2d_forward(context, shape, x.data(), filter.data(), epilogue, y.data(), workspace.data());
  }
  void backward_data(const Conv2dShape& shape) const {
    conv2d_backward_data(context, shape, dy.data(), filter.data(), dx.data(), workspace.data());
  }
  void backward_filter(const Conv2dShape& shape) const {
    conv2d_backward_filter(context, shape, x.data(), dy.data(), Write::kOverwrite, dfilter.data(),
                           workspace.data());
  }

  Ctx context;
  Array<float> x, filter, bias, dy, y, dx, dfilter;
  Array<std::uint8_t> workspace;
};

template <typename Ctx>
std::string check_forward(Ctx ctx, const Conv2dShape& shape) {
  const Conv2dArrays<Ctx> arrays(ctx, shape);
  arrays.forward(shape, {});
  return differences(
      "y", arrays.y.read(),
      reference::conv2d_forward(shape, widen(arrays.x.read()), widen(arrays.filter.read())),
      sum_tolerance(shape.math));
}

template <typename Ctx>
std::string check_backward_data(Ctx ctx, const Conv2dShape& shape) {
  const Conv2dArrays<Ctx> arrays(ctx, shape);
  arrays.backward_data(shape);
  return differences(
      "dx", arrays.dx.read(),
      reference::conv2d_backward_data(shape, widen(arrays.dy.read()), widen(arrays.filter.read())),
      sum_tolerance(shape.math));
}

template <typename Ctx>
std::string check_backward_filter(Ctx ctx, const Conv2dShape& shape) {
  const Conv2dArrays<Ctx> arrays(ctx, shape);
  arrays.backward_filter(shape);
  return differences(
      "dfilter", arrays.dfilter.read(),
      reference::conv2d_backward_filter(shape, widen(arrays.x.read()), widen(arrays.dy.read())),
      sum_tolerance(shape.math));
}

template <typename Ctx, typename Call, typename Check>
void add(Suite& suite, Ctx ctx, const std::string& op, const ConvLayer& layer, const Call& call,
         const Check& check) {
  for (const std::int64_t batch : conv2d_batches(suite, layer)) {
    for (const Math math : suite.maths) {
      const Conv2dShape shape = with_batch(layer.shape, batch, math).conv;
      suite.add({op, layer.name, batch, math, kOurs, conv2d_work(shape),
                 [=] {
                   const auto arrays = std::make_shared<Conv2dArrays<Ctx>>(ctx, shape);
                   return [=] { call(*arrays, shape); };
                 },
                 [=] {
                   return check(ctx, with_batch(layer.shape, conv2d_check_batch(layer), math).conv);
                 }});
    }
  }
}

template <typename Ctx>
void add_layer(Suite& suite, Ctx ctx, const ConvLayer& layer) {
  using Arrays = Conv2dArrays<Ctx>;
  using Shape = Conv2dShape;
  add(
      suite, ctx, "conv2d_forward", layer,
      [](const Arrays& arrays, const Shape& shape) { arrays.forward(shape); }, check_forward<Ctx>);
  add(
      suite, ctx, "conv2d_backward_data", layer,
      [](const Arrays& arrays, const Shape& shape) { arrays.backward_data(shape); },
      check_backward_data<Ctx>);
  add(
      suite, ctx, "conv2d_backward_filter", layer,
      [](const Arrays& arrays, const Shape& shape) { arrays.backward_filter(shape); },
      check_backward_filter<Ctx>);
}

}  // namespace

void add_conv2d_cases(Suite& suite) {
  for (const ConvLayer& layer : conv2d_layers(suite)) {
    std::visit([&](auto ctx) { add_layer(suite, ctx, layer); }, suite.context);
  }
}

}  // namespace gradflip::bench
