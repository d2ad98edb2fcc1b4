// The networks of models/networks, by name. The list is made from the one in models/CMakeLists.txt.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

struct NetworkMaker {
  std::string name;  // of its file, with dashes; the network that is made has the same
  std::function<Network(const NetworkInput& input, const NetworkOptions& options)> make;
};
// Of a network that has no options, and of one that has.
NetworkMaker maker_of(std::string name, Network (*make)(const NetworkInput& input));
NetworkMaker maker_of(std::string name,
                      Network (*make)(const NetworkInput& input, const NetworkOptions& options));

// In the order that --help shows.
std::vector<NetworkMaker> networks();
std::vector<std::string> network_names();

// The one called `name`, for this input. Throws std::invalid_argument that lists them all.
Network network(const std::string& name, const NetworkInput& input,
                const NetworkOptions& options = {});

}  // namespace gradflip
