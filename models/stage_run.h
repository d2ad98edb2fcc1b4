// A stage of a method as it runs: its updates written, compiled, in order and recorded as one step.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/method.h"
#include "models/step.h"
#include "models/step_report.h"
#include "runtime/draft.h"
#include "runtime/program.h"
#include "runtime/sequence.h"
#include "runtime/state.h"

namespace gradflip {

// For each stage the step before which it ends, of a run of total_steps: the shares rounded, the
// last one's the total; a stage with a share has a step as long as there is one for each of them.
// Throws std::invalid_argument unless there is a stage, each has an update, no share is below 0 and
// one is above.
std::vector<std::int64_t> stage_ends(std::span<const Stage> stages, std::int64_t total_steps);

// An update as its method wrote it.
struct WrittenUpdate {
  Draft draft;
  StepInputs inputs;
  std::vector<std::int64_t> rows;  // of each segment
  std::int64_t images = 0;         // through the feature extractor, in all its `times`
  int times = 1;
};

// All updates of a stage, in order. They declare their parameters in the setting's.
std::vector<WrittenUpdate> write_stage(const Stage& stage, const StepSetting& setting);

// What their steps report, in order.
std::vector<ReportColumn> columns_of(std::span<const WrittenUpdate> updates);

// What a stage runs on, all of which must outlive it.
struct StageContext {
  const Parameters& parameters;
  const State& state;  // with the groups of the updates
  const Context& context;
  Workers& workers;
  const InputMemory& input;
  const LabelledDeviceData& source;
  const DeviceData* target = nullptr;  // where an update reads it
};

struct StageOptions {
  bool fuse = true;                  // false: the reference that fusion is tested against
  std::int64_t record_capacity = 0;  // steps whose reports are kept
};

class StageRun {
 public:
  // updates: at least one.
  StageRun(std::span<const WrittenUpdate> updates, const StageContext& context,
           const StageOptions& options = {});
  StageRun(const StageRun&) = delete;
  StageRun& operator=(const StageRun&) = delete;

  std::int64_t images_per_step() const { return images_per_step_; }

  // So many steps, each of which raises the state's step counter by one.
  void run(std::int64_t steps) { sequence_.run(steps); }

  // Copies the reports of the last record_capacity steps to the host; then what one of them told,
  // in the order of columns_of().
  void fetch_reports();
  void values_of(std::int64_t step, std::span<double> values) const;

  // What FiniteGuard::quantity stands for: the update's place, and the name of its term or
  // kGradientQuantity.
  std::pair<std::size_t, std::string> quantity(std::int32_t number) const;

  // What runs: by the update's place.
  Program& program(std::size_t update) { return programs_[update]; }
  const Sequence& sequence() const { return sequence_; }

 private:
  void append(const WrittenUpdate& update, const StageContext& context, const StageOptions& options,
              bool advance);

  std::deque<Program> programs_;  // which stay where they are
  Sequence sequence_;
  std::int64_t images_per_step_ = 0;
  std::int32_t quantities_ = 0;
};

}  // namespace gradflip
