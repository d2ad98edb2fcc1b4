// The networks of models/networks, by name. The list is made from the one in models/CMakeLists.txt.
#pragma once

#include <string>
#include <vector>

#include "models/network.h"

namespace gradflip {

struct NetworkMaker {
  std::string name;  // of its file, with dashes; the network that is made has the same
  Network (*make)(const NetworkInput& input);
};

// In the order that --help shows.
std::vector<NetworkMaker> networks();
std::vector<std::string> network_names();

// The one called `name`, for this input. Throws std::invalid_argument that lists them all.
Network network(const std::string& name, const NetworkInput& input);

}  // namespace gradflip
