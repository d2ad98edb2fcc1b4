#include "benchmarks/support/paper_network.h"

#include <vector>

#include "models/networks/paper_mnist.h"

namespace gradflip::bench {

Network paper_network(float mean) {
  return paper_mnist(digits_input(std::vector<float>(kImageChannels, mean)));
}

WrittenUpdate first_update(const Method& method, const Recipe& recipe, std::int64_t pictures,
                           Parameters& parameters) {
  const Network network = paper_network();
  const DatasetShape domain{pictures, network.input.sample};
  return write_stage(method.stages(recipe).front(), {.network = network,
                                                     .recipe = recipe,
                                                     .parameters = parameters,
                                                     .source = domain,
                                                     .num_classes = kNumClasses,
                                                     .target = domain})
      .front();
}

}  // namespace gradflip::bench
