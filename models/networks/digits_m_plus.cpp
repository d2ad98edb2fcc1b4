#include "models/networks/digits_m_plus.h"

#include "models/networks/digits_m_parts.h"

namespace gradflip {

Network digits_m_plus(const NetworkInput& input, const NetworkOptions& options) {
  return digits_m_network("digits-m-plus", input, options, /*padded=*/true);
}

}  // namespace gradflip
