// The paper's table as text.
#pragma once

#include <string>
#include <vector>

#include "apps/common/report/run_result.h"

namespace gradflip {

struct TableNotes {
  std::string source, target;  // what was learnt from and what it was carried to, in words
  bool transductive = false;   // the target was scored on its training pictures
  Plan plan = {};
};

// One row per mode: accuracies in per cent after the last epoch, the oracle, and the share of the
// gap that it closed, as mean ± deviation over seeds; "-" where there is nothing to measure with.
// Runs that failed or that a signal cut short are not in the rows; a line below says how far each
// came. Ends with a newline.
std::string table(const std::vector<RunResult>& runs, const TableNotes& notes);

}  // namespace gradflip
