// The network that the benchmarks measure: the paper's for MNIST and MNIST-M, or a recipe's.
#pragma once

#include <cstdint>
#include <vector>

#include "models/method.h"
#include "models/network.h"
#include "models/recipe.h"
#include "models/stage_run.h"
#include "runtime/parameters.h"

namespace gradflip::bench {

// With a mean to take off every channel, or none.
Network paper_network(float mean = 0.0F);

// The recipe's, likewise.
Network network_of(const Recipe& recipe, float mean = 0.0F);

// Of both domains; and the recipe for a method that may not read the target, which then draws all
// of them from the source.
std::int64_t pictures_per_step(const Recipe& recipe);
Recipe with_all_pictures(Recipe recipe, const Method& method);

// The updates of a step of the method's last stage for the recipe's network, on two domains of so many pictures each.
// What the method trains is declared in `parameters`.
std::vector<WrittenUpdate> last_stage(const Method& method, const Recipe& recipe,
                                      std::int64_t pictures, Parameters& parameters);

}  // namespace gradflip::bench
