// What to say of a run that diverged.
#pragma once

#include <cstdint>
#include <string>

#include "models/recipe.h"

namespace gradflip {

struct Divergence {
  std::int64_t step = 0;
  std::string quantity;   // the first that was not finite: "label loss", "domain loss", "gradient"
  std::string parameter;  // whose gradient; empty for a loss
};

// One line: what, on which step, and which options of this run can have led there: those that reach
// the quantity, were at work by then, and are not zero already.
std::string message_of(const Divergence& divergence, const Recipe& recipe,
                       bool has_domain_classifier);

}  // namespace gradflip
