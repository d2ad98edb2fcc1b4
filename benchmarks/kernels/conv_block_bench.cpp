// The fused block of the network's two convolution layers: forward, data gradient, filter gradient.
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/conv_block.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip::bench {
namespace {

using reference::widen;

// Everything that the three operations read and write. Winners are those of x, gradients random.
template <typename Ctx>
struct ConvBlockArrays {
  ConvBlockArrays(Ctx ctx, const ConvBlockShape& shape)
      : context(ctx),
        x(ctx, many_random_floats(sizes_of(shape.conv).x, 1)),
        filter(ctx, many_random_floats(sizes_of(shape.conv).filter, 2)),
        bias(ctx, many_random_floats(shape.conv.K, 3)),
        dpooled(ctx, many_random_floats(pooled_size(shape), 4)),
        pooled(ctx, pooled_size(shape)),
        dx(ctx, sizes_of(shape.conv).x),
        dfilter(ctx, sizes_of(shape.conv).filter),
        dbias(ctx, shape.conv.K),
        winner(ctx, pooled_size(shape)),
        workspace(ctx, conv_block_workspace_bytes(ctx, shape)) {
    forward(shape);
  }

  void forward(const ConvBlockShape& shape) const {
    conv_block_forward(context, shape, x.data(), filter.data(), bias.data(), pooled.data(),
                       winner.data(), workspace.data());
  }
  void backward_data(const ConvBlockShape& shape) const {
    conv_block_backward_data(context, shape, dpooled.data(), winner.data(), filter.data(),
                             dx.data(), workspace.data());
  }
  void backward_filter(const ConvBlockShape& shape) const {
    conv_block_backward_filter(context, shape, x.data(), dpooled.data(), winner.data(),
                               Write::kOverwrite, dfilter.data(), dbias.data(), workspace.data());
  }

  Ctx context;
  Array<float> x, filter, bias, dpooled, pooled, dx, dfilter, dbias;
  Array<std::uint8_t> winner, workspace;
};

template <typename Ctx>
std::string check_forward(Ctx ctx, const ConvBlockShape& shape) {
  const ConvBlockArrays<Ctx> arrays(ctx, shape);
  const reference::ConvBlockOutput want = reference::conv_block_forward(
      shape, widen(arrays.x.read()), widen(arrays.filter.read()), widen(arrays.bias.read()));
  const double bound = sum_tolerance(shape.conv.math);
  const std::string difference = differences("pooled", arrays.pooled.read(), want.pooled, bound);
  if (!difference.empty()) return difference;
  if (shape.conv.math != Math::kF32) return {};  // rounded operands have other winners
  const auto winners = reference::winners_match(arrays.winner.read(), want, shape, bound);
  return winners ? "" : std::string("winner: ") + winners.message();
}

template <typename Ctx>
std::string check_backward_data(Ctx ctx, const ConvBlockShape& shape) {
  const ConvBlockArrays<Ctx> arrays(ctx, shape);
  arrays.backward_data(shape);
  return differences(
      "dx", arrays.dx.read(),
      reference::conv_block_backward_data(shape, widen(arrays.dpooled.read()), arrays.winner.read(),
                                          widen(arrays.filter.read())),
      sum_tolerance(shape.conv.math));
}

template <typename Ctx>
std::string check_backward_filter(Ctx ctx, const ConvBlockShape& shape) {
  const ConvBlockArrays<Ctx> arrays(ctx, shape);
  arrays.backward_filter(shape);
  const reference::ConvBlockFilterGradient want = reference::conv_block_backward_filter(
      shape, widen(arrays.x.read()), widen(arrays.dpooled.read()), arrays.winner.read());
  const double bound = sum_tolerance(shape.conv.math);
  const std::string difference = differences("dfilter", arrays.dfilter.read(), want.dfilter, bound);
  return difference.empty() ? differences("dbias", arrays.dbias.read(), want.dbias, kSum)
                            : difference;
}

// `call` runs one of the three on prepared arrays.
template <typename Ctx, typename Call, typename Check>
void add(Suite& suite, Ctx ctx, const std::string& op, const ConvLayer& layer,
         Work (*work)(const ConvBlockShape&), const Call& call, const Check& check) {
  for (const std::int64_t batch : suite.batches) {
    for (const Math math : suite.maths) {
      const ConvBlockShape shape = with_batch(layer.shape, batch, math);
      suite.add({op, layer.name, batch, math, kOurs, work(shape),
                 [=] {
                   const auto arrays = std::make_shared<ConvBlockArrays<Ctx>>(ctx, shape);
                   return [=] { call(*arrays, shape); };
                 },
                 [=] { return check(ctx, with_batch(shape, kCheckBatch, math)); }});
    }
  }
}

template <typename Ctx>
void add_layer(Suite& suite, Ctx ctx, const ConvLayer& layer) {
  using Arrays = ConvBlockArrays<Ctx>;
  using Shape = ConvBlockShape;
  add(
      suite, ctx, "conv_block_forward", layer, conv_block_forward_work,
      [](const Arrays& arrays, const Shape& shape) { arrays.forward(shape); }, check_forward<Ctx>);
  if (!layer.first) {
    add(
        suite, ctx, "conv_block_backward_data", layer, conv_block_backward_work,
        [](const Arrays& arrays, const Shape& shape) { arrays.backward_data(shape); },
        check_backward_data<Ctx>);
  }
  add(
      suite, ctx, "conv_block_backward_filter", layer, conv_block_backward_work,
      [](const Arrays& arrays, const Shape& shape) { arrays.backward_filter(shape); },
      check_backward_filter<Ctx>);
}

}  // namespace

void add_conv_block_cases(Suite& suite) {
  for (const ConvLayer& layer : std::vector(suite.shapes.conv_layers)) {
    std::visit([&](auto ctx) { add_layer(suite, ctx, layer); }, suite.context);
  }
}

}  // namespace gradflip::bench
