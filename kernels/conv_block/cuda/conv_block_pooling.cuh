// The second half of conv_block forward: a tile of the convolution, in shared memory, becomes
// pooled outputs and their winners.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip {

// The best of a window so far. Of equals the first stays; a NaN beats every number and stays.
struct Champion {
  float value = -std::numeric_limits<float>::infinity();
  int place = 0;

  __device__ __forceinline__ void challenge(float challenger, int at) {
    const bool wins = !(challenger <= value) && value == value;
    value = wins ? challenger : value;
    place = wins ? at : place;
  }

  // What ReLU and the pool make of it.
  __device__ __forceinline__ float pooled() const { return value <= 0.0F ? 0.0F : value; }
  __device__ __forceinline__ std::uint8_t winner() const {
    return value <= 0.0F ? kDeadWinner : static_cast<std::uint8_t>(place);
  }
};

// The outputs, (windows, K), and the input that the product does not have.
struct Pooling {
  const float* bias;
  float* pooled;
  std::uint8_t* winner;
  std::int64_t windows, K;
  int places;  // of a window
  int chunks;  // of a tile's rows that a window takes: 1 but for windows larger than a tile

  __device__ __forceinline__ void write(std::int64_t window, std::int64_t k,
                                        const Champion& champion) const {
    pooled[window * K + k] = champion.pooled();
    winner[window * K + k] = champion.winner();
  }
};

// What a block of the first (tiles of windows) x (tiles of filters) of a launch does: patches times
// filter, and the pool. Product is TileProduct of Shape and the loaders; rows of `patches` are
// TiledPositions', its columns patches.taps.
template <typename Shape, typename Product, typename Patches, typename Filter>
__device__ __forceinline__ void convolve_and_pool(float4* shared, const Patches& patches,
                                                  const Filter& filter, const Pooling& pooling) {
  const auto tiles_n = static_cast<unsigned>(tiles_of(pooling.K, Shape::BN));
  const std::int64_t tile = blockIdx.x / tiles_n;
  const std::int64_t n_begin = std::int64_t{blockIdx.x % tiles_n} * Shape::BN;

  // Carried from chunk to chunk only if a window fills its tile, and then a thread has one at most.
  static_assert(Shape::BN <= Shape::kThreads);
  Champion champion;
  for (int chunk = 0; chunk < pooling.chunks; ++chunk) {
    Product product(shared);
    product.add(patches, filter, (tile * pooling.chunks + chunk) * Shape::BM, n_begin, 0,
                patches.taps);
    const auto sums = product.stage();
    const int begin = chunk * Shape::BM;  // the chunk's first place in its window
    const int count = min(Shape::BM, pooling.places - begin);
    for (int i = static_cast<int>(threadIdx.x); i < patches.positions.windows * Shape::BN;
         i += Shape::kThreads) {
      const std::int64_t window = tile * patches.positions.windows + i / Shape::BN;
      const std::int64_t k = n_begin + i % Shape::BN;
      if (window >= pooling.windows || k >= pooling.K) continue;
      if (begin == 0) champion = {};
      const int row = i / Shape::BN * pooling.places;
      for (int place = 0; place < count; ++place) {
        champion.challenge(sums(row + place, i % Shape::BN) + pooling.bias[k], begin + place);
      }
      if (chunk + 1 == pooling.chunks) pooling.write(window, k, champion);
    }
    __syncthreads();  // the next chunk's operands overwrite the sums
  }
}

}  // namespace gradflip
