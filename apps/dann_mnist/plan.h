// Which runs the arguments ask for and the data allow, found out before the first step.
#pragma once

#include "apps/common/report/run_result.h"
#include "apps/dann_mnist/arguments.h"
#include "apps/dann_mnist/data_sources.h"

namespace gradflip {

// Whether the target's training labels are needed.
bool wants_target_labels(const Arguments& arguments);

// target-only is left out, with a note added to the data's, if the target has no training labels
// and other modes remain. Throws DataError if none does, or if a mode would draw batches larger
// than its set; UsageError if a schedule comes to 0 in f32 by the end of a run of this length.
Plan plan_of(const Arguments& arguments, LoadedData& loaded);

}  // namespace gradflip
