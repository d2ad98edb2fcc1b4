// How well the domain classifier tells source from target: cross-entropy, binary of one logit,
// softmax of two.
#pragma once

#include "models/methods/dann_options.h"
#include "models/step.h"
#include "runtime/graph.h"
#include "runtime/objective.h"

namespace gradflip {

// What each domain is called: source 0, target 1, or the other way around, as the features wish
// that the classifier took them.
enum class DomainLabels { kTrue, kSwapped };

struct DomainLoss {
  Value losses;   // of each row, for show: without the smoothing of labels
  Value correct;  // f32 scalar: rows that the domain classifier gets right by these labels
  Term term;      // domain_weight and the reduction of the options are in it
};

// domain_logits: of the rows of both domains, with one logit or two.
DomainLoss domain_loss(Step& step, Value domain_logits, const DannOptions& options,
                       DomainLabels domain_labels = DomainLabels::kTrue);

// Reports the mean loss of an image whatever the reduction and the smoothing of labels, so that ln 2
// means chance, and the share of images that the domain classifier gets right.
void report_domain_loss(Step& step, const DomainLoss& loss);

}  // namespace gradflip
