#include "runtime/objective.h"

#include "runtime/ops/elementwise.h"

namespace gradflip {

std::vector<Seed> seeds_of(Graph& graph, std::span<const Term> terms) {
  std::vector<Seed> seeds;
  for (const Term& term : terms) {
    Seed seed{term.loss, {}};
    if (!term.times.none()) {
      seed.gradient = ops::scale(graph, term.times, term.weight);
    } else if (term.weight != 1.0F) {
      seed.gradient = ops::constant(graph, graph.type(term.loss), term.weight);
    }
    seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace gradflip
