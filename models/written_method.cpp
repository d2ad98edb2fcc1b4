#include "models/written_method.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>

#include "kernels/require.h"
#include "models/evaluation.h"
#include "runtime/compile.h"

namespace gradflip {
namespace {

using Stages = std::vector<WrittenMethod::StageOfRun>;

void require_names_of_their_own(const Stages& stages) {
  std::set<std::string> names;
  for (const WrittenMethod::StageOfRun& stage : stages) {
    for (const WrittenUpdate& update : stage.updates) {
      GRADFLIP_REQUIRE(names.insert(update.draft.name).second,
                       message("method: two updates are called ", update.draft.name));
    }
  }
}

void require_banks(const WrittenMethod::StageOfRun& stage, int banks) {
  for (const BankCopy& copy : stage.copies) {
    for (const int bank : {copy.from, copy.to}) {
      GRADFLIP_REQUIRE(bank >= 0 && bank < banks,
                       message("method: bank ", bank, " is copied, and there are ", banks));
    }
    GRADFLIP_REQUIRE(copy.from != copy.to,
                     message("method: bank ", copy.from, " is copied to itself"));
  }
  for (const WrittenUpdate& update : stage.updates) {
    const Graph& graph = update.draft.graph;
    for (std::int32_t id = 0; id < graph.num_values(); ++id) {
      const int bank = graph.info({id}).bank;
      GRADFLIP_REQUIRE(bank < banks, message("method: ", update.draft.name, " reads bank ", bank,
                                             ", and there are ", banks));
    }
    for (const Average& average : update.draft.averages) {
      GRADFLIP_REQUIRE(average.bank > 0 && average.bank < banks,
                       message("method: ", update.draft.name, " averages into bank ", average.bank,
                               ", and there are ", banks, ", the trained one included"));
    }
  }
}

// Updates that only watch there may be, beside one that does not.
void require_learns(const Method& method, const Stages& stages) {
  bool learns = false;
  for (const WrittenMethod::StageOfRun& stage : stages) {
    for (const WrittenUpdate& update : stage.updates) {
      learns = learns || update.draft.objective.has_value();
    }
  }
  GRADFLIP_REQUIRE(learns, message("method: no update of ", method.name, " makes anything small"));
}

// An evaluation applies the feature extractor and the label predictor, and declares nothing.
void require_can_be_evaluated(const StepSetting& setting) {
  try {
    const Parameters& declared = setting.parameters;
    (void)write_evaluation(setting.network, declared, setting.source, setting.num_classes,
                           /*batch=*/1, pass_of(setting.recipe.training));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(
        message("method: no update applies all that predicts labels: ", error.what()));
  }
}

std::vector<ReportColumn> columns_of(const Stages& stages) {
  std::vector<ReportColumn> all;
  for (const WrittenMethod::StageOfRun& stage : stages) {
    const std::vector<ReportColumn> columns = columns_of(stage.updates);
    (void)StepMeans(columns);  // which wants each name once
    for (const ReportColumn& column : columns) {
      const auto known = std::find_if(all.begin(), all.end(), [&](const ReportColumn& other) {
        return other.name == column.name;
      });
      GRADFLIP_REQUIRE(
          known == all.end() || *known == column,
          message("method: its stages tell ", column.name, " as a mean and as the last step's"));
      if (known == all.end()) all.push_back(column);
    }
  }
  return all;
}

}  // namespace

WrittenMethod write_method(const Method& method, const StepSetting& setting, bool whole_batch) {
  GRADFLIP_REQUIRE(method.stages != nullptr, message("method: ", method.name, " has no stages"));
  const std::vector<Stage> stages = method.stages(setting.recipe);
  const std::vector<std::int64_t> ends = stage_ends(stages, setting.total_steps);
  WrittenMethod written;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    written.stages.push_back({ends[i], stages[i].copies, write_stage(stages[i], setting)});
  }
  require_names_of_their_own(written.stages);
  written.columns = columns_of(written.stages);
  // When all parameters are declared: an update of all of them is one of those of every stage.
  for (const WrittenMethod::StageOfRun& stage : written.stages) {
    require_banks(stage, method.banks);
    for (const WrittenUpdate& update : stage.updates) {
      (void)compile(update.draft, setting.parameters, {.whole_batch = whole_batch});
    }
  }
  require_learns(method, written.stages);
  require_can_be_evaluated(setting);
  return written;
}

std::vector<UpdatedGroup> groups_of(const WrittenMethod& written) {
  std::vector<UpdatedGroup> groups;
  for (const WrittenMethod::StageOfRun& stage : written.stages) {
    for (const WrittenUpdate& update : stage.updates) {
      if (update.draft.objective) groups.push_back(updated_group(update.draft));
    }
  }
  return groups;
}

}  // namespace gradflip
