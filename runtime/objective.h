// What a training step makes small: a sum of terms.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/graph.h"

namespace gradflip {

// weight * times * loss
struct Term {
  std::string name;  // in messages: "label loss"
  Value loss;        // f32 scalar without rows
  float weight = 1.0F;
  Value times = {};  // an f32 scalar that changes from step to step, a constant to autodiff;
                     // none(): 1
};

// What arrives at each loss: appends weight * times where that is not one.
std::vector<Seed> seeds_of(Graph& graph, std::span<const Term> terms);

}  // namespace gradflip
