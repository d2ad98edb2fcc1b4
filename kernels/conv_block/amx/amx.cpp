// The convolution block on AMX: asks the processor and the operating system before any of it runs.

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "kernels/conv_block/amx/hardware_tiles.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"
#include "kernels/cpu/simd_targets.h"

// The loops around the tiles: every processor with AMX has these.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl")
#include "kernels/conv_block/amx/tile_conv_block.h"
HWY_POP_ATTRIBUTES

namespace gradflip {
namespace {

bool bit(std::uint32_t word, int index) { return (word >> index & 1U) != 0; }

// Products of bf16 on tiles as large as the kernels expect.
bool processor_has_tiles() {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint32_t d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || !bit(d, 22) || !bit(d, 24)) return false;
  // Palette 1: bytes per row, registers, rows.
  if (__get_cpuid_count(0x1D, 1, &a, &b, &c, &d) == 0) return false;
  return (b & 0xFFFFU) >= kTileRowBytes && b >> 16U >= TileShapes().size() &&
         (c & 0xFFFFU) >= kTileRows;
}

// Linux hands the registers out on request, for the whole process and for good. It refuses, for
// one, where a thread has a signal stack too small for them.
bool system_lends_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

const Bf16ConvBlock* amx_conv_block() {
  static const Bf16ConvBlock* const avx512 = avx512_bf16_conv_block();
  static const bool available = avx512 != nullptr && processor_has_tiles() && system_lends_tiles();
  static const Bf16ConvBlock block =
      tile_conv_block<HardwareTiles>(available ? avx512->gradients : nullptr);
  return available ? &block : nullptr;
}

}  // namespace gradflip
