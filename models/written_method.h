// All of a method, written down for a run and looked over: what is wrong with a late stage shows
// before the first step.
#pragma once

#include <cstdint>
#include <vector>

#include "models/method.h"
#include "models/stage_run.h"
#include "models/step.h"
#include "models/step_report.h"
#include "runtime/state.h"

namespace gradflip {

struct WrittenMethod {
  struct StageOfRun {
    std::int64_t end = 0;  // the step before which it ends
    std::vector<BankCopy> copies;
    std::vector<WrittenUpdate> updates;
  };
  std::vector<StageOfRun> stages;
  std::vector<ReportColumn> columns;  // of all stages, each name once
};

// Declares the parameters of all stages in the setting's. whole_batch: as CompileOptions has it.
// Throws std::invalid_argument for a method that is not whole: what stage_ends() and write_stage()
// throw; no stages at all; two updates of one name; none
// that makes anything small; a bank that is not there, or copied to itself; what
// cannot be compiled; two columns of one name in a stage, or of one name and different kinds in
// two; and where no update applies the feature extractor and the label predictor, so that there is
// nothing to measure.
WrittenMethod write_method(const Method& method, const StepSetting& setting, bool whole_batch);

// What the run's state has to keep for all updates.
std::vector<UpdatedGroup> groups_of(const WrittenMethod& written);

}  // namespace gradflip
