// digits_m.h's network with every convolution padded, so that only pools make pictures smaller: 4.3
// times the operations of the paper's.
#pragma once

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

Network digits_m_plus(const NetworkInput& input, const NetworkOptions& options = {});

}  // namespace gradflip
