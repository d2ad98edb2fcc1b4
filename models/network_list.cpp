#include "models/network_list.h"

#include <utility>

#include "models/option_field.h"

namespace gradflip {

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkMaker& maker : networks()) names.push_back(maker.name);
  return names;
}

NetworkMaker maker_of(std::string name, Network (*make)(const NetworkInput& input)) {
  return {std::move(name),
          [make](const NetworkInput& input, const NetworkOptions&) { return make(input); }};
}

NetworkMaker maker_of(std::string name,
                      Network (*make)(const NetworkInput& input, const NetworkOptions& options)) {
  return {std::move(name), make};
}

Network network(const std::string& name, const NetworkInput& input, const NetworkOptions& options) {
  return networks()[index_of_choice(network_names(), "network", name)].make(input, options);
}

}  // namespace gradflip
