#include "models/methods/label_loss.h"

#include "runtime/ops/row_sums.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip {

LabelLoss label_loss(Step& step, Value label_logits) {
  const Value losses =
      ops::softmax_cross_entropy(step.graph(), label_logits, step.labels(),
                                 static_cast<float>(step.training().label_smoothing));
  return {losses, {"label loss", ops::mean_rows(step.graph(), losses)}};
}

}  // namespace gradflip
