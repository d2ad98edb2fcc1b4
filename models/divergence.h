// What to say of a run that diverged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/options.h"

namespace gradflip {

struct Divergence {
  std::int64_t step = 0;
  std::string quantity;   // the first that was not finite: "label loss", "domain loss", "gradient"
  std::string parameter;  // whose gradient; empty for a loss
  std::string update;     // of the method's updates, the one in which it was
};

// Of the options that every method has, those that can have led to it: a method that trains by
// them asks here first.
std::vector<std::string> optimizer_suspects(const Divergence& divergence,
                                            const TrainingOptions& training);

// One line: what, on which step, and which options to try smaller values of.
std::string message_of(const Divergence& divergence, const std::vector<std::string>& suspects);

}  // namespace gradflip
