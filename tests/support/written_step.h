// The first step of a method on the paper's network, written and not run.
#pragma once

#include <cstdint>
#include <vector>

#include "models/method.h"
#include "models/networks/paper_mnist.h"
#include "models/stage_run.h"
#include "runtime/parameters.h"

namespace gradflip {

inline Network paper_network() { return paper_mnist(digits_input({60.0F, 60.0F, 60.0F})); }

inline std::vector<WrittenUpdate> written_step(const Method& method, const Recipe& recipe,
                                               const DatasetShape& source,
                                               const DatasetShape& target, std::int64_t total_steps,
                                               Parameters& parameters) {
  const Network network = paper_network();
  return write_stage(method.stages(recipe).front(), {.network = network,
                                                     .recipe = recipe,
                                                     .parameters = parameters,
                                                     .source = source,
                                                     .num_classes = kNumClasses,
                                                     .target = target,
                                                     .seed = 1,
                                                     .total_steps = total_steps});
}

}  // namespace gradflip
