// Adversarial discriminative domain adaptation: Tzeng, Hoffman, Saenko, Darrell, CVPR 2017, section
// 4, equation 9. Two stages, the first a share of the run's steps:
//
//   pretraining   feature extractor and label predictor learn the source's labels. What comes of
//                 the feature extractor is kept as the source's, M_s; the target's, M_t, starts
//                 there, and the label predictor stays as it is.
//   adaptation    on a step
//     1. the discriminator descends on L_d(D(M_s(source)), source) + L_d(D(M_t(target)), target)
//     2. M_t descends on L_d(D(M_t(target)), source)
//
// The discriminator is the network's domain classifier, and what is measured and saved is M_t with
// the label predictor. Nothing of the source's labels holds M_t where it is: long runs of
// adaptation may lose the classes.
#pragma once

#include <vector>

#include "models/method.h"

namespace gradflip {

struct AddaOptions {
  double adda_pretraining = 0.5;     // share of the steps
  double adda_learning_rate = 2e-4;  // Adam, of both updates
  double adda_beta1 = 0.5;
  std::int64_t adda_extractor_updates = 1;  // on a step, each on samples of its own if several
};

std::vector<OptionField> fields(AddaOptions& options);

Method adda();

}  // namespace gradflip
