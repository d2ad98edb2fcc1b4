#include "runtime/program.h"

#include "kernels/require.h"
#include "runtime/sharding.h"

namespace gradflip {

UpdatedGroup updated_group(const Draft& draft) {
  GRADFLIP_REQUIRE(draft.objective.has_value(), message(draft.name, " updates nothing"));
  return {.name = draft.name,
          .over = draft.objective->over,
          .without_decay = draft.objective->with.without_decay,
          .slots = ops::num_slots(draft.objective->with.rule),
          .counts_runs = !draft.runs.none()};
}

Program::Program(const Draft& draft, const Parameters& parameters, const State& state,
                 const Context& context, Workers& workers, std::span<const std::int64_t> rows,
                 const ProgramOptions& options)
    : context_(context),
      rows_(rows.begin(), rows.end()),
      record_capacity_(options.record_capacity),
      compiled_(compile(draft, parameters,
                        {.fuse = options.fuse,
                         .whole_batch = batch_cut(context).whole(),
                         .record_capacity = options.record_capacity,
                         .advance = options.advance,
                         .first_quantity = options.first_quantity})),
      executor_(compiled_.graph, parameters, state.parameter_blocks(), context, workers, rows) {
  if (!draft.step.none()) bind(draft.step, state.step().data());
  if (draft.objective) state.bind(executor_, compiled_.update, state.group(draft.name));
  if (!draft.runs.none()) bind(draft.runs, state.runs(state.group(draft.name)).data());
  for (std::size_t i = 0; i < draft.averages.size(); ++i) {
    const ops::AverageValues& values = compiled_.averages[i];
    executor_.bind(values.averaged, state.parameter_blocks().bank(draft.averages[i].bank).data());
    executor_.bind(values.weights, state.parameter_blocks().weights.data());
  }
  if (!compiled_.running_weights.none()) {
    executor_.bind(compiled_.running_weights, state.parameter_blocks().weights.data());
  }
  for (const Value records : compiled_.rings) {
    const Shape& shape = compiled_.graph.type(records).shape;
    Ring& ring =
        rings_.emplace_back(Ring{Buffer(context, shape.size() * 4),
                                 std::vector<float>(static_cast<std::size_t>(shape.size())),
                                 static_cast<std::size_t>(shape[1])});
    executor_.bind(records, ring.memory.data());
  }
}

void Program::bind(Value external, const void* memory) {
  executor_.bind(compiled_(external), memory);
}

void Program::bind_result(Value result, void* memory) {
  executor_.bind_result(compiled_(result), memory);
}

void Program::fetch_records() {
  for (Ring& ring : rings_) {
    copy_to_host(context_, ring.fetched.data(), ring.memory.data(), ring.memory.bytes());
  }
}

double Program::report(std::size_t column, std::int64_t step) const {
  const Column& where = compiled_.columns[column];
  const Ring& ring = rings_[where.ring];
  const auto record = static_cast<std::size_t>(step % record_capacity_);
  const double told = ring.fetched[record * ring.columns + where.place];
  if (where.per.none()) return told;
  std::int64_t rows = 0;
  for (std::size_t segment = 0; segment < rows_.size(); ++segment) {
    if (where.per.contains_segment(static_cast<int>(segment))) rows += rows_[segment];
  }
  return told / static_cast<double>(rows);
}

}  // namespace gradflip
