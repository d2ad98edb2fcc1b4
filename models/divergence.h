// What to say of a run that diverged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/options.h"

namespace gradflip {

struct Divergence {
  std::int64_t step = 0;         // of the run
  std::string quantity = {};     // the first that was not finite: "label loss", "gradient"
  std::string parameter = {};    // whose gradient; empty for a loss
  std::string update = {};       // of the method's updates, the one in which it was
  std::int64_t stage_step = 0;   // the step's place in its stage
  bool after_an_update = false;  // of the same step

  // Whether the weights are others than those that the run, or its stage, began with.
  bool run_has_updated() const { return step > 0 || after_an_update; }
  bool stage_has_updated() const { return stage_step > 0 || after_an_update; }
};

// Of the options that every method has, those that can have led to it, where the run trains by
// them.
std::vector<std::string> optimizer_suspects(const Divergence& divergence,
                                            const TrainingOptions& training);

// One line: what, on which step, in which update unless that is empty, and which options to try
// smaller values of.
std::string message_of(const Divergence& divergence, const std::vector<std::string>& suspects);

}  // namespace gradflip
