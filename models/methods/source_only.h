// No adaptation: the labels of one domain. The bound that every method must beat; trained on the
// target with its labels, the one that none is expected to.
#pragma once

#include "models/method.h"

namespace gradflip {

Method source_only();

// Its update, for methods that begin with it: the label loss, of feature extractor and label
// predictor.
void learn_source(Step& step);

}  // namespace gradflip
