#include "benchmarks/support/paper_network.h"

#include <utility>

#include "models/network_list.h"
#include "models/networks/paper_mnist.h"
#include "models/written_method.h"

namespace gradflip::bench {

Network paper_network(float mean) {
  return paper_mnist(digits_input(std::vector<float>(kImageChannels, mean)));
}

Network network_of(const Recipe& recipe, float mean) {
  const TrainingOptions& training = recipe.training;
  return network(training.network,
                 digits_input(std::vector<float>(kImageChannels, mean), training.pixels),
                 training.network_options);
}

std::int64_t pictures_per_step(const Recipe& recipe) {
  return recipe.training.source_batch + recipe.training.target_batch;
}

Recipe with_all_pictures(Recipe recipe, const Method& method) {
  if (!method.reads_target) recipe.training.source_batch = pictures_per_step(recipe);
  return recipe;
}

std::vector<WrittenUpdate> last_stage(const Method& method, const Recipe& recipe,
                                      std::int64_t pictures, Parameters& parameters) {
  const Network network = network_of(recipe);
  const DatasetShape domain{pictures, network.input.sample};
  WrittenMethod written = write_method(method,
                                       {.network = network,
                                        .recipe = recipe,
                                        .parameters = parameters,
                                        .source = domain,
                                        .num_classes = kNumClasses,
                                        .target = domain},
                                       /*whole_batch=*/true);
  return std::move(written.stages.back().updates);
}

}  // namespace gradflip::bench
