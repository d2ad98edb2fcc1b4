#include "models/network.h"

#include <algorithm>

#include "models/network_builder.h"

namespace gradflip {

bool normalises_by_batches(const Network& network) {
  Graph graph;
  Parameters parameters;
  NetworkBuilder builder(graph, parameters);
  const Value x = graph.external("x", {Dtype::kF32, network.input.sample, segment_rows(0)});
  const Value features = network.feature_extractor(builder, x);
  network.label_predictor(builder, features, 2);
  network.domain_classifier(builder, features, 1);
  const std::vector<Parameter>& all = parameters.list();
  return std::any_of(all.begin(), all.end(), [](const Parameter& parameter) {
    return parameter.name.ends_with(".running_mean");
  });
}

}  // namespace gradflip
