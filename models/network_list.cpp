#include "models/network_list.h"

#include "models/option_field.h"

namespace gradflip {

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkMaker& maker : networks()) names.push_back(maker.name);
  return names;
}

Network network(const std::string& name, const NetworkInput& input) {
  return networks()[index_of_choice(network_names(), "network", name)].make(input);
}

}  // namespace gradflip
