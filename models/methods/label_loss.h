// What every method learns of the source: its labels.
#pragma once

#include "models/step.h"
#include "runtime/graph.h"
#include "runtime/objective.h"

namespace gradflip {

// Softmax cross-entropy with the recipe's label smoothing.
struct LabelLoss {
  Value losses;  // of each source row
  Term term;     // their mean
};

// label_logits: of the step's source rows, and no others.
LabelLoss label_loss(Step& step, Value label_logits);

}  // namespace gradflip
