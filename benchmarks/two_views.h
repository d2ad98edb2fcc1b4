// A DANN that sees two views of each picture, changed in different ways: what a step of a method
// with weak and strong views costs, for benchmarks alone. Of B pictures of both domains on a step
//
//   features      = feature_extractor(2 B rows: both views of source and target)
//   label loss    = mean of L_y(label_predictor(source features), labels) over both views
//   domain loss   = sum of the domains' means of L_d(domain_classifier(R_lambda(features)))
//   all parts descend on label loss + domain loss.
//
// Both views are changed as the recipe says (--augment), each by numbers of its own; the domain
// classifier has one logit. One batch goes through each part of the network.
#pragma once

#include "models/method.h"

namespace gradflip::bench {

Method dann_of_two_views();  // "dann-two-views"

}  // namespace gradflip::bench
