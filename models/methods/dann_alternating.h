// Domain-adversarial training without a reversal: two updates in turn, each a plain descent. Ganin
// et al., JMLR 17 (2016), appendix, as generative adversarial networks are trained. On a step
//
//   1. the domain classifier descends on L_d(domain_classifier(features), source 0, target 1)
//   2. feature extractor and label predictor descend on
//      L_y + lambda L_d(domain_classifier(features), source 1, target 0),
//
// so that the features move towards being taken for the other domain, where the reversal moves them
// away from being taken for their own. Where the classifier is sure of itself this gradient is
// large, and the reversal's small: early in a run the adversary is much stronger, at the same
// lambda. With the paper's numbers on MNIST to MNIST-M it is too strong (README.md). The other loss
// is the reversal's, taken in turn:
//
//   2. feature extractor and label predictor descend on
//      L_y - lambda L_d(domain_classifier(features), source 0, target 1).
#pragma once

#include <vector>

#include "models/method.h"

namespace gradflip {

enum class AlternatingLoss { kSwapped, kNegated };

// Beside DannOptions.
struct AlternatingOptions {
  AlternatingLoss loss = AlternatingLoss::kSwapped;
};

std::vector<OptionField> fields(AlternatingOptions& options);

Method dann_alternating();

}  // namespace gradflip
