// What digits_m and digits_m_plus share.
#pragma once

#include <string>

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

// padded: the first two convolutions, too.
Network digits_m_network(std::string name, const NetworkInput& input, const NetworkOptions& options,
                         bool padded);

}  // namespace gradflip
