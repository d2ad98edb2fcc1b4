#include "models/networks/digits_m.h"

#include "models/networks/digits_m_parts.h"

namespace gradflip {

Network digits_m(const NetworkInput& input, const NetworkOptions& options) {
  return digits_m_network("digits-m", input, options, /*padded=*/false);
}

}  // namespace gradflip
