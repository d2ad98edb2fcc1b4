// Layers: functions from value to value that declare their parameters. A parameter's name is
// <layer>.weight or <layer>.bias; initial values are uniform in +-1/sqrt(fan_in), weights and
// biases alike, as torch.nn initialises its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

// Where layers put their nodes and parameters. The same name twice is the same parameter, so a
// network can be applied to several inputs in one graph, and two layers that are to differ need
// names that do.
class NetworkBuilder {
 public:
  // bank: whose values of the parameters are read (ParameterBlocks::bank); only those of 0 have
  // gradients.
  NetworkBuilder(Graph& graph, Parameters& parameters, Math math = Math::kF32, int bank = 0)
      : graph_(graph), declared_(parameters), declares_(&parameters), math_(math), bank_(bank) {}
  // For a graph over parameters that have their memory already: none can be added.
  NetworkBuilder(Graph& graph, const Parameters& parameters, Math math = Math::kF32)
      : graph_(graph), declared_(parameters), math_(math) {}

  Graph& graph() { return graph_; }
  // Of the matrix products and convolutions of every layer.
  Math math() const { return math_; }
  // The parameter called `name`, declared on first use. Throws std::invalid_argument if it exists
  // with another shape, or does not exist and cannot be added.
  Value parameter(const std::string& name, const Shape& shape, const FileLayout& file,
                  const Initialiser& initialiser);

 private:
  Graph& graph_;
  const Parameters& declared_;
  Parameters* declares_ = nullptr;  // the same; null where none can be added
  Math math_;
  int bank_ = 0;
  std::vector<Value> values_;  // by parameter index; none() until this graph uses it
};

// x weight^T + bias: x rows x any shape (pictures are flattened), -> rows x (out_features). In
// memory the weight's columns follow x's own order (H, W, C for pictures); in files C, H, W.
Value linear(NetworkBuilder& network, const std::string& name, Value x, std::int64_t out_features);

struct ConvBlockOptions {
  std::int64_t filters = 0;
  std::int64_t kernel = 5;  // square
  std::int64_t pad = 0;
  std::int64_t pool = 2;  // square, not overlapping
};

// max_pool2d(relu(conv2d(x) + bias)): x rows x (H, W, C) -> rows x (PP, PQ, filters).
Value conv_block(NetworkBuilder& network, const std::string& name, Value x,
                 const ConvBlockOptions& options);

}  // namespace gradflip
