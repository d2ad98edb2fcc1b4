// Whether a network has learned anything.
#pragma once

#include <optional>
#include <string>

#include "apps/common/report/run_result.h"
#include "models/data/domain_data.h"

namespace gradflip {

// A line for the user if a completed run ends no better than guessing, measured on the domain whose
// labels it learned from (a DANN's target has no say): the label_loss of its last epoch, where its
// method reports one, is at least 99 % of the entropy of `learned_from`'s classes, ln 10 where ten
// are equally frequent; or its last accuracy on `test`, of that domain (null: there is none), is at
// most the share of the most frequent class there and two standard deviations. A loss that was at
// most half of guessing's in an earlier epoch, or an accuracy that was half of the way from chance
// to 1, is told as a collapse, which training on does not mend. Nothing is said of a set of one
// class, which leaves nothing to guess, nor of so few pictures that no accuracy would be above
// that.
std::optional<std::string> chance_note(const RunResult& run, const LabelledImages& learned_from,
                                       const LabelledImages* test, double label_smoothing);

}  // namespace gradflip
