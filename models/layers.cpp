#include "models/layers.h"

#include <cmath>
#include <stdexcept>

#include "kernels/require.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/random.h"

namespace gradflip {
namespace {

Uniform initial_values(std::int64_t fan_in) {
  return {static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)))};
}

// An op knows sizes, not which layer has them.
template <typename Layer>
Value named(const std::string& name, const Layer& layer) {
  try {
    return layer();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(message(name, ": ", error.what()));
  }
}

// (out, in) in files; the columns of a layer on pictures go from H, W, C to C, H, W.
FileLayout linear_layout(std::int64_t out_features, const Shape& x) {
  const Shape file{out_features, x.size()};
  if (x.rank() != 3) return FileLayout::same(file);
  return {{out_features, x[0], x[1], x[2]}, {0, 3, 1, 2}, file};
}

}  // namespace

Value linear(NetworkBuilder& network, const std::string& name, Value x, std::int64_t out_features,
             const LinearOptions& options) {
  const Shape x_shape = network.graph().type(x).shape;
  const std::int64_t in_features = x_shape.size();
  GRADFLIP_REQUIRE(
      in_features > 0 && out_features > 0,
      message("linear: ", name, " from ", in_features, " to ", out_features, " features"));
  const Initialiser values = initial_values(in_features);
  const Value weight = network.parameter(name + ".weight", {out_features, in_features},
                                         linear_layout(out_features, x_shape),
                                         options.initial.weight.value_or(values));
  const Value y = ops::linear(network.graph(), x, weight, network.math());
  if (!options.bias) return y;
  const Value bias =
      network.parameter(name + ".bias", {out_features}, FileLayout::same({out_features}),
                        options.initial.bias.value_or(values));
  return ops::bias(network.graph(), y, bias);
}

Value conv2d(NetworkBuilder& network, const std::string& name, Value x,
             const Conv2dOptions& options) {
  const Shape x_shape = network.graph().type(x).shape;
  GRADFLIP_REQUIRE(x_shape.rank() == 3,
                   message("conv2d: ", name, " needs pictures (H, W, C), not ", x_shape.text()));
  const std::int64_t C = x_shape[2], K = options.filters, S = options.kernel;
  const std::int64_t R = options.kernel_h > 0 ? options.kernel_h : S;
  const Initialiser values = initial_values(R * S * C);
  const Value filter =
      network.parameter(name + ".weight", {R, S, C, K}, {{R, S, C, K}, {3, 2, 0, 1}, {K, C, R, S}},
                        options.initial.weight.value_or(values));
  Graph& graph = network.graph();
  return named(name, [&] {
    const Value convolved = ops::conv2d(graph, x, filter,
                                        {.stride_h = R > 1 || S == 1 ? options.stride : 1,
                                         .stride_w = S > 1 || R == 1 ? options.stride : 1,
                                         .pad_h = R > 1 ? options.pad : 0,
                                         .pad_w = S > 1 ? options.pad : 0,
                                         .math = network.math()});
    if (!options.bias) return convolved;
    return ops::bias(graph, convolved,
                     network.parameter(name + ".bias", {K}, FileLayout::same({K}),
                                       options.initial.bias.value_or(values)));
  });
}

Value conv_block(NetworkBuilder& network, const std::string& name, Value x,
                 const ConvBlockOptions& options) {
  const Value convolved = conv2d(network, name, x,
                                 {.filters = options.filters,
                                  .kernel = options.kernel,
                                  .pad = options.pad,
                                  .initial = options.initial});
  return named(name, [&] {
    return max_pool(network, ops::relu(network.graph(), convolved), {.window = options.pool});
  });
}

Value max_pool(NetworkBuilder& network, Value x, const MaxPoolOptions& options) {
  const std::int64_t stride = options.stride > 0 ? options.stride : options.window;
  const bool signal = options.window_h == 1;
  return ops::max_pool2d(network.graph(), x,
                         {.window_h = options.window_h > 0 ? options.window_h : options.window,
                          .window_w = options.window,
                          .stride_h = signal ? 1 : stride,
                          .stride_w = stride,
                          .pad_h = signal ? 0 : options.pad,
                          .pad_w = options.pad});
}

namespace {

Value dropped(NetworkBuilder& network, const std::string& name, Value x, double probability,
              bool channels) {
  GRADFLIP_REQUIRE(
      probability >= 0.0 && probability < 1.0,
      message(name, ": dropout with a probability of ", probability, "; it must be in [0, 1)"));
  const std::optional<Pass::Training>& training = network.pass().training;
  if (!training || !training->drops || probability == 0.0) return x;
  const int application = network.applications(name);
  return ops::dropout(network.graph(), x, training->step,
                      {.seed = training->seed,
                       .stream = stream_of(message(name, "#", application)),
                       .probability = probability,
                       .channels = channels});
}

}  // namespace

Value dropout(NetworkBuilder& network, const std::string& name, Value x, double probability) {
  return dropped(network, name, x, probability, /*channels=*/false);
}

Value channel_dropout(NetworkBuilder& network, const std::string& name, Value x,
                      double probability) {
  return dropped(network, name, x, probability, /*channels=*/true);
}

}  // namespace gradflip
