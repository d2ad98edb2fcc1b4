// Logits of a network's heads for samples in an evaluation, by running statistics and without
// dropout.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/network.h"
#include "models/trainer.h"
#include "runtime/program.h"
#include "runtime/state.h"
#include "runtime/workers.h"

namespace gradflip {

struct EvaluatedLogits {
  std::vector<float> label, domain;  // each sample's row behind the other
};

class LogitsEvaluation {
 public:
  LogitsEvaluation(const Context& context, const Network& network,
                   const std::vector<NamedTensor>& weights)
      : context_(context), network_(network), weights_(weights) {}

  // pass: of an evaluation. domain: that all the data is of.
  EvaluatedLogits operator()(Pass pass, const DeviceData& data, int domain,
                             std::int64_t num_classes, std::int64_t domain_logits) const {
    pass.domains.fill(domain);
    Draft draft{.name = "logits"};
    Graph& graph = draft.graph;
    Parameters parameters;
    NetworkBuilder builder(graph, parameters, pass);
    const Value samples = graph.external("samples", data.shape().type());
    const Value indices = graph.external("indices", {Dtype::kI64, {}, kSourceRows});
    const InputValues input = declare_input(graph, network_.input);
    const std::array<InputSource, 1> sources{{{samples, indices, domain}}};
    const Value features =
        network_.feature_extractor(builder, gather_input(graph, network_.input, input, sources));
    const Value labels = network_.label_predictor(builder, features, num_classes);
    const Value domains = network_.domain_classifier(builder, features, domain_logits);
    graph.mark_result(labels);
    graph.mark_result(domains);

    const State state(context_, parameters, /*seed=*/1, {});
    set_weights(parameters, state.parameter_blocks().weights);
    const std::array<std::int64_t, 1> rows{data.count()};
    Workers workers(1);
    Program program(draft, parameters, state, context_, workers, rows);
    const InputMemory input_memory(context_, network_.input);
    input_memory.bind(program, input);
    program.bind(samples, data.samples());
    std::vector<std::int64_t> in_order(static_cast<std::size_t>(data.count()));
    std::iota(in_order.begin(), in_order.end(), 0);
    const Buffer places(context_, data.count() * 8);
    copy_from_host(context_, places.data(), in_order.data(), places.bytes());
    program.bind(indices, places.data());
    const Buffer label(context_, data.count() * num_classes * 4);
    const Buffer domain_rows(context_, data.count() * domain_logits * 4);
    program.bind_result(labels, label.data());
    program.bind_result(domains, domain_rows.data());
    program.executor().run(rows);
    return {read(label), read(domain_rows)};
  }

 private:
  void set_weights(const Parameters& parameters, const Buffer& memory) const {
    std::vector<float> flat(static_cast<std::size_t>(parameters.flat_size()));
    for (const Parameter& parameter : parameters.list()) {
      const auto tensor =
          std::find_if(weights_.begin(), weights_.end(),
                       [&](const NamedTensor& each) { return each.name == parameter.name; });
      from_file_order(parameter, tensor->values.data(), flat.data());
    }
    copy_from_host(context_, memory.data(), flat.data(), memory.bytes());
  }

  std::vector<float> read(const Buffer& memory) const {
    std::vector<float> values(static_cast<std::size_t>(memory.bytes() / 4));
    copy_to_host(context_, values.data(), memory.data(), memory.bytes());
    return values;
  }

  Context context_;
  const Network& network_;
  const std::vector<NamedTensor>& weights_;
};

}  // namespace gradflip
