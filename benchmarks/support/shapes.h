// The shapes that the DANN's layers give the kernels, read off the graph of its training step: a
// change of the network changes what is benchmarked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/conv_block.h"

namespace gradflip::bench {

struct ConvLayer {
  std::string name;      // "conv1"
  ConvBlockShape shape;  // with N = 0: the batch is the benchmark's
  bool first = false;    // its input is the picture: no data gradient is needed
};

struct LinearLayer {
  std::string name;  // "label_predictor.fc1"
  std::int64_t in_features = 0, out_features = 0;
};

struct DannShapes {
  std::vector<ConvLayer> conv_layers;
  std::vector<LinearLayer> linear_layers;
  std::int64_t features = 0;  // that label predictor and domain classifier read
  std::int64_t num_classes = 0;
  std::int64_t parameters = 0;  // floats of one flat block: what an update covers
  std::int64_t image_size = 0, image_channels = 0;

  // Throws std::out_of_range.
  const LinearLayer& linear(const std::string& name) const;
};

// Of the network of models/networks/paper_mnist.h with the paper's options.
DannShapes dann_shapes();

}  // namespace gradflip::bench
