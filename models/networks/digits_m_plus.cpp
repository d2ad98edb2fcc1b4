#include "models/networks/digits_m_plus.h"

#include "models/networks/digits_m_parts.h"

namespace gradflip {

Network digits_m_plus(const NetworkInput& input) {
  return digits_m_network("digits-m-plus", input, /*padded=*/true);
}

}  // namespace gradflip
