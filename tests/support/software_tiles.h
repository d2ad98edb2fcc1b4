// A tile unit (kernels/cpu/amx/tiles.h) in software: the same kernels on it as on the processor's,
// on any machine. It checks how it is used, and throws std::logic_error at what a processor would
// fault on, or would get wrong without a word.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "kernels/cpu/amx/tiles.h"

namespace gradflip {

class SoftwareTiles {
 public:
  static void configure(const TileShapes& shapes) {
    require(!unit().configured, "configured twice");
    for (const TileShape& shape : shapes) {
      require(shape.rows > 0 && shape.rows <= kTileRows, "rows of a tile");
      require(shape.row_bytes > 0 && shape.row_bytes <= kTileRowBytes && shape.row_bytes % 4 == 0,
              "bytes of a row");
    }
    unit() = {.configured = true, .shapes = shapes, .tiles = {}};
  }
  static void release() {
    require(unit().configured, "released, but not configured");
    unit().configured = false;
  }
  static bool configured() { return unit().configured; }

  template <int kTile>
  static void zero() {
    at(kTile) = {.filled = true};
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    Tile& tile = at(kTile);
    tile = {};
    const TileShape& shape = unit().shapes[kTile];
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      std::memcpy(tile.rows[row], static_cast<const std::byte*>(from) + row * stride,
                  static_cast<std::size_t>(shape.row_bytes));
    }
    tile.filled = true;
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    const Tile& tile = at(kTile);
    require(tile.filled, "stored before anything was loaded");
    const TileShape& shape = unit().shapes[kTile];
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * stride, tile.rows[row],
                  static_cast<std::size_t>(shape.row_bytes));
    }
  }

  // As Intel's manual tells it: sums of even and of odd elements, added to each other and then to
  // the tile.
  template <int kSum, int kA, int kB>
  static void multiply_add_bf16() {
    const TileShapes& shapes = unit().shapes;
    require(shapes[kA].rows == shapes[kSum].rows, "A's rows are not the sum's");
    require(shapes[kB].row_bytes == shapes[kSum].row_bytes, "B's columns are not the sum's");
    require(shapes[kA].row_bytes == 4 * shapes[kB].rows, "A's pairs are not B's rows");
    require(at(kA).filled && at(kB).filled && at(kSum).filled, "a tile that nothing was loaded to");
    const Values A = values_of(at(kA));
    const Values B = values_of(at(kB));
    Tile& sums = at(kSum);
    for (std::int64_t m = 0; m < shapes[kSum].rows; ++m) {
      for (std::int64_t n = 0; n < shapes[kSum].row_bytes / 4; ++n) {
        float even = 0.0F;
        float odd = 0.0F;
        for (std::int64_t j = 0; j < shapes[kB].rows; ++j) {
          even = flushed(std::fma(A.rows[m][2 * j], B.rows[j][2 * n], even));
          odd = flushed(std::fma(A.rows[m][2 * j + 1], B.rows[j][2 * n + 1], odd));
        }
        float sum = 0.0F;
        std::byte* const place = sums.rows[m] + 4 * n;
        std::memcpy(&sum, place, sizeof(sum));
        sum = flushed(flushed(sum) + flushed(even + odd));
        std::memcpy(place, &sum, sizeof(sum));
      }
    }
  }

 private:
  struct Tile {
    bool filled = false;
    std::byte rows[kTileRows][kTileRowBytes] = {};
  };
  struct Unit {
    bool configured = false;
    TileShapes shapes;
    std::array<Tile, 8> tiles;
  };

  static Unit& unit() {
    thread_local Unit unit;
    return unit;
  }
  static Tile& at(std::size_t tile) {
    require(unit().configured, "used, but not configured");
    return unit().tiles[tile];
  }
  static void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(std::string("tile unit: ") + what);
  }
  static float flushed(float value) {
    const bool is_small = std::abs(value) < std::numeric_limits<float>::min();
    return is_small ? std::copysign(0.0F, value) : value;
  }

  struct Values {
    float rows[kTileRows][kTileRowBytes / 2];
  };
  static Values values_of(const Tile& tile) {
    Values values{};
    for (std::int64_t row = 0; row < kTileRows; ++row) {
      for (std::int64_t column = 0; column < kTileRowBytes / 2; ++column) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, tile.rows[row] + 2 * column, sizeof(bits));
        values.rows[row][column] = flushed(std::bit_cast<float>(std::uint32_t{bits} << 16U));
      }
    }
    return values;
  }
};

}  // namespace gradflip
