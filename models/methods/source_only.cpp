#include "models/methods/source_only.h"

#include "models/methods/label_loss.h"

namespace gradflip {

void learn_source(Step& step) {
  const Value features = step.feature_extractor(step.samples(kSourceRows));
  const LabelLoss labels = label_loss(step, step.label_predictor(features));

  step.minimise({labels.term}, {"feature_extractor", "label_predictor"});
  step.report({.name = "label_loss", .value = labels.losses});
  step.report({.name = "learning_rate", .value = step.learning_rate(), .last = true});
}

Method source_only() {
  return {.name = "source-only",
          .summary = "learn the source's labels and nothing of the target",
          .reads_target = false,
          .stages = [](const Recipe&) {
            return std::vector<Stage>{{.updates = {{"source-only", learn_source}}}};
          }};
}

}  // namespace gradflip
