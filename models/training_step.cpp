#include "models/training_step.h"

#include <array>
#include <vector>

#include "kernels/require.h"
#include "runtime/autodiff.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/copy.h"
#include "runtime/ops/schedule.h"

namespace gradflip {
namespace {

// The graph's value of each parameter, in the list's order: all of the list, each once.
std::vector<Value> parameters_in(const Graph& graph, const Parameters& parameters) {
  const std::vector<Parameter>& list = parameters.list();
  std::vector<Value> found(list.size());
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    if (info.kind != ValueKind::kParameter || info.bank != 0) continue;
    const auto index = static_cast<std::size_t>(info.parameter);
    GRADFLIP_REQUIRE(
        info.parameter >= 0 && index < list.size() && list[index].name == info.name &&
            list[index].shape == info.type.shape,
        message("training step: the graph's parameter ", info.name, " ", info.type.shape.text(),
                " is not number ", info.parameter, " of those to train"));
    GRADFLIP_REQUIRE(found[index].none(),
                     message("training step: ", info.name, " stands in the graph twice"));
    found[index] = {id};
  }
  for (std::size_t index = 0; index < list.size(); ++index) {
    GRADFLIP_REQUIRE(list[index].trained,
                     message("training step: ", list[index].name, " is not trained"));
    GRADFLIP_REQUIRE(!found[index].none(),
                     message("training step: the graph does not use ", list[index].name));
  }
  return found;
}

std::vector<Value> append_gradients(Graph& graph, std::span<const Term> terms,
                                    const Parameters& parameters) {
  const std::vector<Value> in_graph = parameters_in(graph, parameters);
  std::vector<Value> dparameters = gradients(graph, seeds_of(graph, terms), in_graph);
  for (std::size_t i = 0; i < in_graph.size(); ++i) {
    Value& gradient = dparameters[i];
    GRADFLIP_REQUIRE(!gradient.none(),
                     message("training step: no loss depends on ", graph.info(in_graph[i]).name));
    // Two parameters that are added share one value, and a view has no place of its own.
    if (!graph.can_be_gradient(gradient)) gradient = ops::copy(graph, gradient);
    graph.mark_gradient(gradient, graph.info(in_graph[i]).parameter);
  }
  return dparameters;
}

}  // namespace

TrainingStep append_training_step(Graph& graph, Value step, std::span<const Term> terms,
                                  const Parameters& parameters, const SgdOptions& options,
                                  Value learning_rate) {
  const std::vector<Value> dparameters = append_gradients(graph, terms, parameters);
  TrainingStep training{step, ops::declare_update(graph, options, parameters.flat_size(), false)};
  ops::UpdateValues values = training.update;
  values.learning_rate = learning_rate;

  std::vector<Value> quantities;
  for (const Term& term : terms) quantities.push_back(term.loss);
  quantities.push_back(training.update.gradients);
  ops::check_finite(graph, training.update.guard, step, quantities, dparameters);
  ops::update(graph, values, options, dparameters);
  ops::advance_step(graph, step);
  return training;
}

TrainingMemory::TrainingMemory(const Context& context, Parameters& parameters, std::uint64_t seed)
    : state_(context, parameters, seed, std::array{UpdatedGroup{"all"}}) {}

void TrainingMemory::bind(Executor& executor, const TrainingStep& step) const {
  executor.bind(step.step, state_.step().data());
  state_.bind(executor, step.update, 0);
}

}  // namespace gradflip
