#include "runtime/compile.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/record.h"
#include "kernels/require.h"
#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/copy.h"
#include "runtime/ops/gradient_norm.h"
#include "runtime/ops/record.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/running_update.h"
#include "runtime/ops/schedule.h"
#include "runtime/parameter_group.h"

namespace gradflip {
namespace {

class Compiler {
 public:
  Compiler(const Draft& draft, const Parameters& parameters, const CompileOptions& options)
      : draft_(draft), parameters_(parameters), options_(options) {
    compiled_.graph = draft.graph;
    for (std::int32_t id = 0; id < draft.graph.num_values(); ++id) {
      compiled_.now.push_back({id});
    }
    step_ = draft.step;
    runs_ = draft.runs;
    GRADFLIP_REQUIRE(runs_.none() || draft.objective.has_value(),
                     message(draft.name, ": runs are counted by its group, and it updates none"));
    reads_ = draft.reads;
    averages_ = draft.averages;
    running_ = draft.running;
    running_times_ = draft.running_times;
    if (!draft.objective) return;
    terms_ = draft.objective->terms;
    learning_rate_ = draft.objective->learning_rate;
    GRADFLIP_REQUIRE(!terms_.empty(), message(draft.name, ": nothing is to be made small"));
    for (const Term& term : terms_) {
      GRADFLIP_REQUIRE(!term.name.empty(), message(draft.name, ": a term has no name"));
    }
  }

  Compiled compile() {
    sum_reports();
    if (options_.fuse) fuse_forward();
    append_records();  // ahead of the update, which raises the step
    if (draft_.objective) append_update();
    append_running();  // ahead of the averages, which may take them in
    append_averages();
    if (!runs_.none()) ops::advance_step(compiled_.graph, runs_);
    if (options_.advance && !step_.none()) ops::advance_step(compiled_.graph, step_);
    if (options_.fuse) fuse_backward();
    return std::move(compiled_);
  }

 private:
  bool fuses_whole() const { return options_.fuse && options_.whole_batch; }

  // Every value of the current graph that is named outside of it, but the terms'.
  std::vector<Value*> followed() {
    std::vector<Value*> values{&step_, &runs_, &learning_rate_, &running_times_};
    for (Value& value : reads_) values.push_back(&value);
    for (Value& value : reported_) values.push_back(&value);
    for (Average& average : averages_) values.push_back(&average.times);
    for (Running& each : running_) values.push_back(&each.moments);
    return values;
  }

  // Applies rewrite(graph, keep).
  template <typename Rewrite>
  void apply(const Rewrite& rewrite, const std::vector<Value*>& values) {
    std::vector<Value> keep;
    for (const Value* value : values) {
      if (!value->none()) keep.push_back(*value);
    }
    Rewritten rewritten = rewrite(compiled_.graph, keep);
    for (Value* value : values) *value = rewritten(*value);
    for (Value& value : compiled_.now) value = rewritten(value);
    compiled_.graph = std::move(rewritten.graph);
  }

  // The same, for a rewrite that does not look after the terms itself.
  template <typename Rewrite>
  void apply(const Rewrite& rewrite) {
    std::vector<Value*> values = followed();
    for (Term& term : terms_) values.insert(values.end(), {&term.loss, &term.times});
    apply(rewrite, values);
  }

  void sum_reports() {
    for (const Report& report : draft_.reports) {
      const ValueType type = compiled_.graph.type(report.value);
      GRADFLIP_REQUIRE(type.dtype == Dtype::kF32 && type.shape == Shape{},
                       message(draft_.name, ": the report ", report.name, " is ", type.text(),
                               ", neither a number nor one for each row"));
      GRADFLIP_REQUIRE(
          type.rows.none() || report.per.none(),
          message(draft_.name, ": the report ", report.name, " is a mean over rows already"));
      const bool has_rows = !type.rows.none();
      reported_.push_back(has_rows ? ops::sum_rows(compiled_.graph, report.value) : report.value);
      compiled_.columns.push_back(
          {report.name, 0, 0, has_rows ? type.rows : report.per, report.last});
    }
  }

  void fuse_forward() {
    if (!draft_.objective) apply(fold_batch_norms);
    apply(fuse_batch_norms);
    apply(fuse_batch_norm_pools);
    apply(fuse_conv_blocks);
    apply(fuse_conv_layers);
    apply([this](const Graph& graph,
                 std::span<const Value> keep) { return fuse_losses(graph, keep, terms_); },
          followed());
    if (!fuses_whole()) return;
    const SampledPictures pictures =
        draft_.objective ? SampledPictures::kKeepForGradient : SampledPictures::kDrop;
    apply([pictures](const Graph& graph, std::span<const Value> keep) {
      return fuse_sampled_input(graph, keep, pictures);
    });
    apply(fuse_heads);
  }

  // Rings of as many columns as one record takes.
  void append_records() {
    if (options_.record_capacity == 0) return;
    GRADFLIP_REQUIRE(reported_.empty() || !step_.none(),
                     message(draft_.name, ": reports are recorded by the step, and there is none"));
    for (std::size_t first = 0; first < reported_.size(); first += kMaxRecordedScalars) {
      const std::size_t count = std::min(kMaxRecordedScalars, reported_.size() - first);
      const Value ring = compiled_.graph.external(
          "records",
          {Dtype::kF32, {options_.record_capacity, static_cast<std::int64_t>(count)}, {}});
      ops::record(compiled_.graph, ring, step_, std::span(reported_).subspan(first, count));
      for (std::size_t i = 0; i < count; ++i) {
        compiled_.columns[first + i].ring = compiled_.rings.size();
        compiled_.columns[first + i].place = i;
      }
      compiled_.rings.push_back(ring);
    }
  }

  // The values of the group's parameters, all of them, in the order of their list.
  std::vector<Value> updated_parameters() const {
    const ParameterGroup& over = draft_.objective->over;
    const std::vector<Parameter>& list = parameters_.list();
    std::vector<Value> found(list.size());
    for (std::int32_t id = 0; id < compiled_.graph.num_values(); ++id) {
      const ValueInfo& info = compiled_.graph.info({id});
      if (info.kind != ValueKind::kParameter || info.bank != 0) continue;
      const auto index = static_cast<std::size_t>(info.parameter);
      GRADFLIP_REQUIRE(
          info.parameter >= 0 && index < list.size() && list[index].name == info.name &&
              list[index].shape == info.type.shape,
          message(draft_.name, ": the graph's parameter ", info.name, " ", info.type.shape.text(),
                  " is not number ", info.parameter, " of those declared"));
      GRADFLIP_REQUIRE(found[index].none(),
                       message(draft_.name, ": ", info.name, " stands in the graph twice"));
      found[index] = {id};
    }
    std::vector<Value> updated;
    for (std::size_t index = 0; index < list.size(); ++index) {
      if (!list[index].trained || !belongs_to(list[index].name, over)) continue;
      GRADFLIP_REQUIRE(!found[index].none(),
                       message(draft_.name, ": the graph does not use ", list[index].name,
                               "; say which parts are to be trained"));
      updated.push_back(found[index]);
    }
    return updated;
  }

  std::vector<Value> append_gradients() {
    Graph& graph = compiled_.graph;
    const std::vector<Value> updated = updated_parameters();
    std::vector<Value> dparameters = gradients(graph, seeds_of(graph, terms_), updated);
    for (std::size_t i = 0; i < updated.size(); ++i) {
      Value& gradient = dparameters[i];
      GRADFLIP_REQUIRE(!gradient.none(),
                       message(draft_.name, ": no term depends on ", graph.info(updated[i]).name));
      // Two parameters that are added share one value, and a view has no place of its own.
      if (!graph.can_be_gradient(gradient)) gradient = ops::copy(graph, gradient);
      graph.mark_gradient(gradient, graph.info(updated[i]).parameter);
    }
    return dparameters;
  }

  void append_update() {
    Graph& graph = compiled_.graph;
    const Optimizer& with = draft_.objective->with;
    const bool kinds =
        !update_kinds(parameters_, draft_.objective->over, with.without_decay).empty();
    const std::vector<Value> dparameters = append_gradients();
    compiled_.update = ops::declare_update(graph, with.rule, parameters_.flat_size(), kinds);
    ops::UpdateValues values = compiled_.update;
    values.learning_rate = learning_rate_;
    if (std::isfinite(with.max_norm)) {
      values.gradient_scale =
          ops::gradient_norm(graph, values.gradients, values.kinds, with.max_norm, dparameters)
              .factor;
    }
    std::vector<Value> quantities;
    for (const Term& term : terms_) {
      quantities.push_back(term.loss);
      compiled_.quantities.push_back(term.name);
    }
    quantities.push_back(values.gradients);
    compiled_.quantities.emplace_back(kGradientQuantity);
    ops::check_finite(graph, values.guard, step_, quantities, dparameters, options_.first_quantity);
    ops::update(graph, values, with.rule, dparameters);
  }

  // The flat weights, as what changes them in place sees them.
  Value flat_weights() {
    const ValueType flat{Dtype::kF32, {parameters_.flat_size()}, {}};
    return compiled_.update.weights.none() ? compiled_.graph.external("weights", flat)
                                           : compiled_.update.weights;
  }

  std::int64_t place_of(std::int32_t index, const ValueType& moments) const {
    const std::vector<Parameter>& list = parameters_.list();
    GRADFLIP_REQUIRE(
        index >= 0 && index < std::ssize(list),
        message(draft_.name, ": running statistics are parameter ", index, " of ", list.size()));
    const Parameter& parameter = parameters_[index];
    GRADFLIP_REQUIRE(!parameter.trained && parameter.shape == Shape{moments.shape[2]},
                     message(draft_.name, ": ", parameter.name, " ", parameter.shape.text(),
                             parameter.trained ? ", which is trained," : "",
                             " cannot keep statistics of ", moments.shape[2], " channels"));
    return parameter.offset;
  }

  void append_running() {
    if (running_.empty()) return;
    compiled_.running_weights = flat_weights();
    std::vector<ops::RunningStatistics> statistics;
    for (const Running& each : running_) {
      const ValueType& type = compiled_.graph.type(each.moments);
      GRADFLIP_REQUIRE(type.shape.rank() == 3,
                       message(draft_.name, ": running statistics of ", type.text()));
      statistics.push_back({each.moments, each.groups, each.group, each.pixels,
                            place_of(each.mean, type), place_of(each.variance, type),
                            each.momentum});
    }
    ops::running_update(compiled_.graph,
                        {.weights = compiled_.running_weights,
                         .guard = compiled_.update.guard,
                         .times = running_times_},
                        statistics);
  }

  void append_averages() {
    Graph& graph = compiled_.graph;
    const ValueType flat{Dtype::kF32, {parameters_.flat_size()}, {}};
    for (const Average& average : averages_) {
      ops::AverageValues values{.averaged = graph.external(message("weights.", average.bank), flat),
                                .weights = flat_weights(),
                                .decay = average.times,
                                .guard = compiled_.update.guard};
      ops::average(graph, values, average.factor);
      values.decay = {};
      compiled_.averages.push_back(values);
    }
  }

  void fuse_backward() {
    std::vector<Value*> values = followed();
    ops::UpdateValues& update = compiled_.update;
    values.insert(values.end(), {&update.weights, &update.gradients, &update.guard, &update.updates,
                                 &update.kinds});
    for (Value& slot : update.slots) values.push_back(&slot);
    for (ops::AverageValues& average : compiled_.averages) {
      values.insert(values.end(), {&average.averaged, &average.weights, &average.guard});
    }
    values.push_back(&compiled_.running_weights);
    for (Value& ring : compiled_.rings) values.push_back(&ring);
    apply(fuse_linear_merges, values);
    if (fuses_whole()) apply(fuse_training_update, values);
  }

  const Draft& draft_;
  const Parameters& parameters_;
  const CompileOptions& options_;
  Compiled compiled_;
  // In the current graph.
  Value step_, runs_, learning_rate_;
  std::vector<Value> reads_, reported_;
  std::vector<Average> averages_;
  std::vector<Running> running_;
  Value running_times_;
  std::vector<Term> terms_;
};

}  // namespace

Compiled compile(const Draft& draft, const Parameters& parameters, const CompileOptions& options) {
  return Compiler(draft, parameters, options).compile();
}

}  // namespace gradflip
