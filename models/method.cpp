#include "models/method.h"

namespace gradflip {

std::vector<std::string> suspects_of(const Method& method, const Divergence& divergence,
                                     const Recipe& recipe) {
  return method.suspects ? method.suspects(divergence, recipe)
                         : optimizer_suspects(divergence, recipe.training);
}

}  // namespace gradflip
