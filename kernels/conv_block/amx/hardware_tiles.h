// The processor's tile unit (tiles.h). Inline assembly, as the compilers' intrinsics take a
// register's number from the text of a macro's argument, which a template does not have.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv_block/amx/tiles.h"

namespace gradflip {

struct HardwareTiles {
  static void configure(const TileShapes& shapes) {
    Layout layout;
    for (std::size_t tile = 0; tile < shapes.size(); ++tile) {
      layout.rows[tile] = static_cast<std::uint8_t>(shapes[tile].rows);
      layout.row_bytes[tile] = static_cast<std::uint16_t>(shapes[tile].row_bytes);
    }
    asm volatile("ldtilecfg %0" ::"m"(layout));
  }
  static void release() { asm volatile("tilerelease"); }

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(from), "r"(stride) : "memory");
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(to), "r"(stride) : "memory");
  }
  template <int kSum, int kA, int kB>
  static void multiply_add_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }

 private:
  // As ldtilecfg reads it.
  struct alignas(64) Layout {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };
  static_assert(sizeof(Layout) == 64);
};

}  // namespace gradflip
