#include "models/network_list.h"

#include "models/option_field.h"

namespace gradflip {

Network network(const std::string& name, const NetworkInput& input) {
  std::vector<std::string> names;
  for (const NetworkMaker make : networks()) names.push_back(make(input).name);
  return networks()[index_of_choice(names, "--network", name)](input);
}

}  // namespace gradflip
