#include "models/layers.h"

#include <cmath>
#include <stdexcept>

#include "kernels/require.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"

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

Value NetworkBuilder::parameter(const std::string& name, const Shape& shape, const FileLayout& file,
                                const Initialiser& initialiser) {
  std::int32_t index = -1;
  for (std::size_t i = 0; i < declared_.list().size() && index < 0; ++i) {
    if (declared_.list()[i].name == name) index = static_cast<std::int32_t>(i);
  }
  if (index < 0) {
    GRADFLIP_REQUIRE(declares_ != nullptr,
                     message("layers: the network has no parameter ", name,
                             "; declare it where the network is built for training"));
    index = declares_->add(name, shape, file, initialiser);
  }
  GRADFLIP_REQUIRE(declared_[index].shape == shape,
                   message("layers: ", name, " has the shape ", declared_[index].shape.text(),
                           ", here it would have ", shape.text()));
  if (values_.size() <= static_cast<std::size_t>(index)) {
    values_.resize(static_cast<std::size_t>(index) + 1);
  }
  Value& value = values_[static_cast<std::size_t>(index)];
  if (value.none()) value = graph_.parameter(index, name, shape, bank_);
  return value;
}

Value linear(NetworkBuilder& network, const std::string& name, Value x, std::int64_t out_features) {
  const Shape x_shape = network.graph().type(x).shape;
  const std::int64_t in_features = x_shape.size();
  GRADFLIP_REQUIRE(
      in_features > 0 && out_features > 0,
      message("linear: ", name, " from ", in_features, " to ", out_features, " features"));
  const Uniform values = initial_values(in_features);
  const Value weight = network.parameter(name + ".weight", {out_features, in_features},
                                         linear_layout(out_features, x_shape), values);
  const Value bias =
      network.parameter(name + ".bias", {out_features}, FileLayout::same({out_features}), values);
  return ops::bias(network.graph(), ops::linear(network.graph(), x, weight, network.math()), bias);
}

Value conv_block(NetworkBuilder& network, const std::string& name, Value x,
                 const ConvBlockOptions& options) {
  const Shape x_shape = network.graph().type(x).shape;
  GRADFLIP_REQUIRE(x_shape.rank() == 3, message("conv_block: ", name,
                                                " needs pictures (H, W, C), not ", x_shape.text()));
  const std::int64_t C = x_shape[2], K = options.filters, R = options.kernel;
  const Uniform values = initial_values(R * R * C);
  const Value filter = network.parameter(name + ".weight", {R, R, C, K},
                                         {{R, R, C, K}, {3, 2, 0, 1}, {K, C, R, R}}, values);
  const Value bias = network.parameter(name + ".bias", {K}, FileLayout::same({K}), values);
  Graph& graph = network.graph();
  return named(name, [&] {
    const Value convolved = ops::conv2d(
        graph, x, filter, {.pad_h = options.pad, .pad_w = options.pad, .math = network.math()});
    return ops::max_pool2d(graph, ops::relu(graph, ops::bias(graph, convolved, bias)),
                           {.window_h = options.pool,
                            .window_w = options.pool,
                            .stride_h = options.pool,
                            .stride_w = options.pool});
  });
}

}  // namespace gradflip
