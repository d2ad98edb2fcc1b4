#include "apps/common/data/full_ink.h"

#include <cstdint>

namespace gradflip {

void fill_ink(Images& images) {
  for (std::uint8_t& value : images.pixels) value = value > 0 ? 255 : 0;
}

}  // namespace gradflip
