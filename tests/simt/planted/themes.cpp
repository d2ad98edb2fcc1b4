#include <array>

#include "tests/simt/planted/planted.h"

namespace planted {

std::span<const Theme> themes() {
  static const std::array kThemes = {
      barriers(),
      shared_memory(),
      warps(),
      async_copies(),
      tensor_cores(),
      global_memory(),
      pointers(),
      between_blocks(),
      launches(),
      sound_within_blocks(),
      sound_between_blocks(),
  };
  return kThemes;
}

}  // namespace planted
