// The networks of models/networks, by name. The list is made from the one in models/CMakeLists.txt.
#pragma once

#include <string>
#include <vector>

#include "models/network.h"

namespace gradflip {

// A network for inputs of this kind.
using NetworkMaker = Network (*)(const NetworkInput& input);

std::vector<NetworkMaker> networks();

// The one called `name`, for this input. Throws std::invalid_argument that lists them all.
Network network(const std::string& name, const NetworkInput& input);

}  // namespace gradflip
