// A network: what it takes, and its three parts as functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "models/data/network_input.h"
#include "models/layers.h"
#include "runtime/graph.h"

namespace gradflip {

// Each part names its parameters after itself, "feature_extractor.conv1", which is how methods say
// what they train. The features have any shape, and the heads flatten what they read.
struct Network {
  std::string name;  // as saved files have it: "paper-mnist"
  NetworkInput input;
  // x: f32 rows x input.sample -> features
  std::function<Value(NetworkBuilder& network, Value x)> feature_extractor;
  // -> rows x (num_classes) logits
  std::function<Value(NetworkBuilder& network, Value features, std::int64_t num_classes)>
      label_predictor;
  // -> rows x (num_logits) logits. What lies between it and the features, such as a gradient
  // reversal, is the method's.
  std::function<Value(NetworkBuilder& network, Value features, std::int64_t num_logits)>
      domain_classifier;
};

// Whether any of its layers is a batch_norm.
bool normalises_by_batches(const Network& network);

}  // namespace gradflip
