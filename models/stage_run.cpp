#include "models/stage_run.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "kernels/require.h"

namespace gradflip {
namespace {

// What a count is divided by must not be 0.
void require_rows(const Report& report, const Step& step) {
  for (int domain = 0; domain < std::ssize(step.rows()); ++domain) {
    const bool drawn = step.rows()[static_cast<std::size_t>(domain)] > 0;
    GRADFLIP_REQUIRE(
        drawn || !report.per.contains_segment(domain),
        message("the report ", report.name, " is per sample of a domain of which none is drawn"));
  }
}

// Whatever an author's function meets in ops and layers names the update that it was writing.
void write_update(const Update& update, Step& step) {
  try {
    update.write(step);
    for (const Report& report : step.reports()) require_rows(report, step);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(message(update.name, ": ", error.what()));
  }
}

}  // namespace

std::vector<std::int64_t> stage_ends(std::span<const Stage> stages, std::int64_t total_steps) {
  GRADFLIP_REQUIRE(!stages.empty(), "method: it has no stage");
  double all = 0.0;
  std::size_t count = 0;
  for (const Stage& stage : stages) {
    const std::size_t number = ++count;
    GRADFLIP_REQUIRE(!stage.updates.empty(), message("method: stage ", number, " has no update"));
    GRADFLIP_REQUIRE(stage.share >= 0.0 && std::isfinite(stage.share),
                     message("method: stage ", number, " has a share of ", stage.share));
    all += stage.share;
  }
  GRADFLIP_REQUIRE(all > 0.0, "method: no stage has a share of the steps");
  // Steps that the stages from each one on need at least.
  std::int64_t later = std::count_if(stages.begin(), stages.end(),
                                     [](const Stage& stage) { return stage.share > 0.0; });
  std::vector<std::int64_t> ends;
  double share = 0.0;
  for (const Stage& stage : stages) {
    const std::int64_t own = stage.share > 0.0 ? 1 : 0;
    later -= own;
    share += stage.share;
    const std::int64_t least = (ends.empty() ? 0 : ends.back()) + own;
    const std::int64_t rounded = std::llround(share / all * static_cast<double>(total_steps));
    ends.push_back(std::min(std::max(rounded, least), std::max(total_steps - later, least)));
  }
  for (std::int64_t& end : ends) end = std::min(end, total_steps);
  ends.back() = total_steps;
  return ends;
}

std::vector<WrittenUpdate> write_stage(const Stage& stage, const StepSetting& setting) {
  std::vector<WrittenUpdate> written;
  for (const Update& update : stage.updates) {
    GRADFLIP_REQUIRE(update.times > 0,
                     message("method: ", update.name, " is done ", update.times, " times"));
    GRADFLIP_REQUIRE(update.write != nullptr,
                     message("method: nothing writes the update ", update.name));
    Step step(setting, update.name, update.own_samples);
    write_update(update, step);
    WrittenUpdate& each = written.emplace_back();
    each.inputs = step.inputs();
    each.rows.assign(step.rows().begin(), step.rows().end());
    each.images = step.images() * update.times;
    each.times = update.times;
    each.draft = step.take_draft();
  }
  return written;
}

std::vector<ReportColumn> columns_of(std::span<const WrittenUpdate> updates) {
  std::vector<ReportColumn> columns;
  for (const WrittenUpdate& update : updates) {
    for (const Report& report : update.draft.reports) columns.push_back({report.name, report.last});
  }
  return columns;
}

StageRun::StageRun(std::span<const WrittenUpdate> updates, const StageContext& context,
                   const StageOptions& options)
    : sequence_(context.context) {
  for (std::size_t i = 0; i < updates.size(); ++i) {
    // What is repeated must not count the steps.
    append(updates[i], context, options, i + 1 == updates.size() && updates[i].times == 1);
  }
  if (updates.back().times == 1) return;
  WrittenUpdate counter;
  counter.draft.name = "counter";
  counter.draft.step = counter.draft.graph.external("step", {Dtype::kI64, {}, {}});
  append(counter, context, {}, /*advance=*/true);
}

void StageRun::append(const WrittenUpdate& update, const StageContext& context,
                      const StageOptions& options, bool advance) {
  Program& program =
      programs_.emplace_back(update.draft, context.parameters, context.state, context.context,
                             context.workers, update.rows,
                             ProgramOptions{.fuse = options.fuse,
                                            .record_capacity = options.record_capacity,
                                            .advance = advance,
                                            .first_quantity = quantities_});
  quantities_ += static_cast<std::int32_t>(program.quantities().size());
  images_per_step_ += update.images;
  const auto bind = [&](Value value, const void* memory) {
    if (!value.none()) program.bind(value, memory);
  };
  bind(update.inputs.source_samples, context.source.samples());
  bind(update.inputs.labels, context.source.labels());
  if (!update.inputs.target_samples.none()) {
    GRADFLIP_REQUIRE(context.target != nullptr,
                     message("method: ", update.draft.name, " reads a target that is not there"));
    program.bind(update.inputs.target_samples, context.target->samples());
  }
  context.input.bind(program, update.inputs.input);
  sequence_.append(program.executor(), program.rows(), update.times);
}

void StageRun::fetch_reports() {
  for (Program& program : programs_) program.fetch_records();
}

void StageRun::values_of(std::int64_t step, std::span<double> values) const {
  std::size_t place = 0;
  for (const Program& program : programs_) {
    for (std::size_t column = 0; column < program.columns().size(); ++column) {
      values[place++] = program.report(column, step);
    }
  }
}

std::pair<std::size_t, std::string> StageRun::quantity(std::int32_t number) const {
  std::int32_t first = 0;
  for (std::size_t i = 0; i < programs_.size(); ++i) {
    const std::vector<std::string>& names = programs_[i].quantities();
    if (number < first + static_cast<std::int32_t>(names.size())) {
      return {i, names[static_cast<std::size_t>(number - first)]};
    }
    first += static_cast<std::int32_t>(names.size());
  }
  throw std::logic_error(message("method: the guard saw quantity ", number, " of ", first));
}

}  // namespace gradflip
