// A tile unit (kernels/conv_block/amx/tiles.h) in software: the same kernels on it as on the
// processor's, on any machine. It checks how it is used, and throws std::logic_error at what a
// processor would fault on, or would get wrong without a word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels/conv_block/amx/tiles.h"

namespace gradflip {

struct SoftwareTile {
  bool filled = false;
  std::byte rows[kTileRows][kTileRowBytes] = {};
};

// sums[m][n] += the products of A's and B's pairs of bf16, as Intel's manual tells it: sums of even
// and of odd elements, added to each other and then to the tile; what is too small for a normal
// float is zero. A has `rows` rows of `pairs` pairs, B as many rows as those of `columns`.
void multiply_add_bf16(std::int64_t rows, std::int64_t columns, std::int64_t pairs,
                       const SoftwareTile& A, const SoftwareTile& B, SoftwareTile& sums);

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
    SoftwareTile& tile = at(kTile);
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
    const SoftwareTile& tile = at(kTile);
    require(tile.filled, "stored before anything was loaded");
    const TileShape& shape = unit().shapes[kTile];
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * stride, tile.rows[row],
                  static_cast<std::size_t>(shape.row_bytes));
    }
  }

  template <int kSum, int kA, int kB>
  static void multiply_add_bf16() {
    const TileShapes& shapes = unit().shapes;
    require(shapes[kA].rows == shapes[kSum].rows, "A's rows are not the sum's");
    require(shapes[kB].row_bytes == shapes[kSum].row_bytes, "B's columns are not the sum's");
    require(shapes[kA].row_bytes == 4 * shapes[kB].rows, "A's pairs are not B's rows");
    require(at(kA).filled && at(kB).filled && at(kSum).filled, "a tile that nothing was loaded to");
    gradflip::multiply_add_bf16(shapes[kSum].rows, shapes[kSum].row_bytes / 4, shapes[kB].rows,
                                at(kA), at(kB), at(kSum));
  }

 private:
  struct Unit {
    bool configured = false;
    TileShapes shapes;
    std::array<SoftwareTile, 8> tiles;
  };

  static Unit& unit() {
    thread_local Unit unit;
    return unit;
  }
  static SoftwareTile& at(std::size_t tile) {
    require(unit().configured, "used, but not configured");
    return unit().tiles[tile];
  }
  static void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(std::string("tile unit: ") + what);
  }
};

}  // namespace gradflip
