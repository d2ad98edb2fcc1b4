#include "benchmarks/support/shapes.h"

#include <stdexcept>

#include "benchmarks/support/paper_network.h"
#include "models/methods/dann.h"
#include "models/networks/paper_mnist.h"
#include "models/presets.h"
#include "runtime/compile.h"

namespace gradflip::bench {
namespace {

// A fused block of the graph: x, filter and bias in, pooled out. Every block of this network has
// stride 1, no padding and a pool that divides the convolution's output.
ConvLayer conv_layer(const Graph& graph, const Node& node) {
  const Shape& x = graph.type(node.inputs[0]).shape;
  const Shape& filter = graph.type(node.inputs[1]).shape;
  const Shape& pooled = graph.type(node.outputs[0]).shape;
  ConvLayer layer;
  const std::string parameter = graph.info(node.inputs[1]).name;  // feature_extractor.conv1.weight
  const std::size_t begin = parameter.find('.') + 1;
  layer.name = parameter.substr(begin, parameter.rfind('.') - begin);
  Conv2dShape& conv = layer.shape.conv;
  conv.H = x[0], conv.W = x[1], conv.C = x[2];
  conv.R = filter[0], conv.S = filter[1], conv.K = filter[3];
  layer.shape.pool_h = conv.P() / pooled[0];
  layer.shape.pool_w = conv.Q() / pooled[1];
  if (filter[2] != conv.C || pooled[2] != conv.K || conv.P() % pooled[0] != 0 ||
      conv.Q() % pooled[1] != 0) {
    throw std::logic_error("shapes: " + parameter + " belongs to a block of unforeseen geometry");
  }
  return layer;
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

DannShapes dann_shapes() {
  const Recipe recipe = preset("paper");
  Parameters parameters;
  const std::vector<WrittenUpdate> updates =
      last_stage(dann(), recipe, recipe.training.source_batch, parameters);
  const Graph graph = compile(updates.front().draft, parameters, {}).graph;
  DannShapes shapes;
  for (const Node& node : graph.nodes()) {
    if (node.op->name() == "conv_block") {
      shapes.conv_layers.push_back(conv_layer(graph, node));
    }
  }
  if (shapes.conv_layers.empty()) throw std::logic_error("shapes: no convolution block was fused");
  shapes.conv_layers.front().first = true;
  for (const Parameter& parameter : parameters.list()) {
    if (parameter.shape.rank() != 2 || !ends_with(parameter.name, ".weight")) continue;
    shapes.linear_layers.push_back({parameter.name.substr(0, parameter.name.rfind('.')),
                                    parameter.shape[1], parameter.shape[0]});
  }
  const ConvBlockShape& last = shapes.conv_layers.back().shape;
  shapes.features = last.PP() * last.PQ() * last.conv.K;
  shapes.num_classes = kNumClasses;
  shapes.parameters = parameters.flat_size();
  shapes.image_size = kImageSize;
  shapes.image_channels = kImageChannels;
  return shapes;
}

const LinearLayer& DannShapes::linear(const std::string& name) const {
  for (const LinearLayer& layer : linear_layers) {
    if (layer.name == name) return layer;
  }
  throw std::out_of_range("shapes: there is no linear layer " + name);
}

}  // namespace gradflip::bench
