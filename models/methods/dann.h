// Domain-adversarial training with gradient reversal: Ganin et al., JMLR 17 (2016), algorithm 1 for
// any depth (section 4.2, equations 9 to 15). On a step
//
//   features      = feature_extractor(source and target samples)
//   label loss    = L_y(label_predictor(source features), labels)
//   domain loss   = L_d(domain_classifier(R_lambda(features)), source 0, target 1)
//   all parts descend on label loss + domain loss,
//
// where R_lambda is the identity forward, and backward multiplies by -lambda: the domain classifier
// learns to tell the domains apart while the features learn that it cannot.
#pragma once

#include <string>
#include <vector>

#include "models/method.h"

namespace gradflip {

Method dann();

// Of a method with a label loss and a domain adversary: the optimizer's options, and those of
// DannOptions.
std::vector<std::string> dann_suspects(const Divergence& divergence, const Recipe& recipe);

}  // namespace gradflip
