// What the tile kernels know of a tile unit: eight registers of up to 16 rows x 64 bytes (AMX,
// "palette 1"). The kernels are templates over a class with these static functions.
// hardware_tiles.h is the processor's; tests run the same kernels on one in software
// (tests/support/software_tiles.h), which also checks how it is used.
//
//   Tiles::configure(shapes)                gives this thread's registers their shapes
//   Tiles::release()                        what every configure() has to end with
//   Tiles::zero<T>()                        T = 0
//   Tiles::load<T>(from, stride)            row i from `from` + i * stride bytes; stride 0 repeats
//                                           one row, and rows may overlap
//   Tiles::store<T>(to, stride)             the reverse
//   Tiles::multiply_add_bf16<Sum, A, B>()   Sum[m][n] += A[m][2j] * B[j][2n] + A[m][2j+1] *
//                                           B[j][2n+1], over all j: A and B hold bf16, Sum f32. B
//                                           has a row for every four bytes of A's; its columns are
//                                           Sum's, its pairs are neighbours in a row.
// Denormals count as zero and become zero; the order of the sum over j is the unit's own, the same
// for every m and n.
#pragma once

#include <array>
#include <cstdint>

namespace gradflip {

inline constexpr std::int64_t kTileRows = 16;
inline constexpr std::int64_t kTileRowBytes = 64;
inline constexpr std::int64_t kTilePairs = kTileRowBytes / 4;  // pairs of bf16, or f32, in a row

struct TileShape {
  std::int64_t rows = 0, row_bytes = 0;
};
using TileShapes = std::array<TileShape, 8>;

// How the kernels use the registers: some sums, and one tile of each operand, loaded anew for every
// product. The processor renames them, so that a load does not wait for the product before it.
inline constexpr int kSumTiles = 6;
inline constexpr int kTileA = 6, kTileB = 7;

// `pairs` of the inner dimension at a time.
inline TileShapes product_shapes(std::int64_t rows, std::int64_t pairs) {
  TileShapes shapes;
  shapes.fill({rows, kTileRowBytes});
  shapes[kTileA] = {rows, 4 * pairs};
  shapes[kTileB] = {pairs, kTileRowBytes};
  return shapes;
}

}  // namespace gradflip
