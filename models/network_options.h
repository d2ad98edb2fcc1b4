// The numbers of networks that have a choice.
#pragma once

#include <cstdint>

namespace gradflip {

enum class Activation { kRelu, kSigmoid };

// Of mlp: the paper's network for two moons is one layer of 15 (JMLR 17 (2016), section 5.1).
struct NetworkOptions {
  std::int64_t hidden_layers = 1;
  std::int64_t hidden_units = 15;  // of each
  Activation activation = Activation::kRelu;

  // Of digits-m, digits-m-plus and digits-l: the share of values that they drop behind each pool, and
  // that of whole channels of the features.
  double dropout = 0.1, channel_dropout = 0.0;
};

}  // namespace gradflip
