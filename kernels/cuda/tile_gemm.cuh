// The tile engine: C tile (BM x BN) += A (BM x K) B (K x BN), from operands that need not exist as
// matrices. Every matrix product and convolution here is this loop with its own loaders.
//
// A loader says what an operand's element is. Neighbours in memory run along k or along the outer
// index (m of A, n of B); a thread fetches kWidth of them at once, beginning at a multiple of
// kWidth.
//
//   struct Loader {
//     static constexpr Along kAlong = Along::kK;
//     static constexpr int kWidth = 4;                          // or 1
//     struct Outer {...};    // of one outer index, or of kWidth of them if kAlong is kOuter
//     struct Inner {...};    // of one k, or of kWidth of them if kAlong is kK
//     struct Fetched {...};  // what memory holds of one vector
//     Outer outer(std::int64_t i) const;                        // once per row: may divide
//     Inner inner(std::int64_t k) const;                        // once per step: Divisor at most
//     Fetched fetch(const Outer&, const Inner&) const;          // reads memory, waits for nothing
//     Floats<kWidth> value(const Fetched&) const;               // one step later: arithmetic
//   };
//
// i and k go past the end in the last tiles; elements outside are zero, and whatever lies there in
// memory is not read. Fetched is separate from value so that the reads are under way while the
// previous step is computed: fetch must not use what it reads. DenseLoader (tile_dense.cuh) is the
// example for a matrix in memory.
//
// A kernel of Shape::kThreads threads, with block-uniform arguments:
//
//   using Product = TileProduct<Shape, LoaderA, LoaderB>;
//   GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
//   Product product(shared);
//   product.add(a, b, m_begin, n_begin, 0, K);                  // again for further terms
//   product.for_each([&](int m, int n, float sum) { ... });     // m < BM, n < BN: caller checks
//
// or, to see neighbours in the tile: const StagedTile c = product.stage(); ... c(m, n) ...
// Both leave neighbouring n to neighbouring threads, so stores to rows of C are coalesced, on
// whatever address they begin; both are block barriers.
//
// Numerics  sums in f32, for each slice over its steps of K in order, slices in order: the same for
//           an element of C wherever it lies in a tile, so tiles of the same number of slices give
//           the same bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/tile_ffma.cuh"
#include "kernels/cuda/tile_mma.cuh"
#include "kernels/cuda/tile_operand.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// The C tile in shared memory, one copy per slice.
template <typename Shape, int kPitch>
struct StagedTile {
  static constexpr int kFloats = Shape::kSlices * Shape::BM * kPitch;
  const float* sums;

  __device__ __forceinline__ float operator()(int m, int n) const {
    const float* at = sums + m * kPitch + n;
    float sum = *at;
#pragma unroll
    for (int slice = 1; slice < Shape::kSlices; ++slice) sum += at[slice * Shape::BM * kPitch];
    return sum;
  }
};

template <typename Shape, typename LoaderA, typename LoaderB>
class TileProduct {
  using Sums = std::conditional_t<Shape::kMath == Math::kF32, FfmaSums<Shape>, MmaSums<Shape>>;
  using OperandA = Operand<Shape, Shape::BM, LoaderA>;
  using OperandB = Operand<Shape, Shape::BN, LoaderB>;
  using Element = StagedElement<Shape::kMath>;
  // A warp by itself needs no second buffer: it stores after it has read, in any case. Several
  // warps save one of two barriers a step.
  static constexpr int kBuffers = Shape::kSliceWarps == 1 ? 1 : 2;
  static constexpr int kBufferBytes = OperandA::Layout::kBytes + OperandB::Layout::kBytes;
  static constexpr int kPitch = Shape::BN + Sums::kStagedPadding;

 public:
  using Staged = StagedTile<Shape, kPitch>;
  static constexpr int kSharedBytes = std::max(Shape::kSlices * kBuffers * kBufferBytes,
                                               static_cast<int>(Staged::kFloats * sizeof(float)));
  static constexpr int kSharedVectors = kSharedBytes / static_cast<int>(sizeof(float4));
  static_assert(kSharedBytes <= 48 * 1024, "more than a block gets without asking");

  __device__ __forceinline__ explicit TileProduct(float4* shared) : shared_(shared) {}

  // += A B over [k_begin, k_end); k_end - k_begin is a multiple of Shape::BK, or the loaders have
  // no elements from k_end on. Not after stage() or for_each().
  __device__ __forceinline__ void add(const LoaderA& loader_a, const LoaderB& loader_b,
                                      std::int64_t m_begin, std::int64_t n_begin,
                                      std::int64_t k_begin, std::int64_t k_end) {
    k_begin += place_.slice * Shape::BK;
    if (k_begin >= k_end) return;  // the same for a whole slice
    OperandA a(loader_a, place_, m_begin);
    OperandB b(loader_b, place_, n_begin);
    a.fetch(k_begin);
    b.fetch(k_begin);
    int buffer = 0;
    store(a, b, buffer);
    slice_barrier();
    for (std::int64_t k = k_begin + kStep; k < k_end; k += kStep) {
      a.fetch(k);
      b.fetch(k);
      multiply(buffer);
      if constexpr (kBuffers == 1) slice_barrier();
      buffer = (buffer + 1) % kBuffers;
      store(a, b, buffer);
      slice_barrier();
    }
    multiply(buffer);
    slice_barrier();  // the next term may store
  }

  __device__ __forceinline__ Staged stage() {
    // A slice's copy overwrites the buffers of other slices.
    if constexpr (Shape::kSlices > 1) __syncthreads();
    float* sums = reinterpret_cast<float*>(shared_);
    sums_.store(place_, sums + place_.slice * Shape::BM * kPitch, kPitch);
    __syncthreads();
    return Staged{sums};
  }

  template <typename Function>
  __device__ __forceinline__ void for_each(const Function& function) {
    const Staged staged = stage();
    constexpr int kSize = Shape::BM * Shape::BN;
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < kSize; i += Shape::kThreads) {
      const int m = i / Shape::BN;
      const int n = i % Shape::BN;
      function(m, n, staged(m, n));
    }
  }

 private:
  static constexpr int kStep = Shape::BK * Shape::kSlices;

  __device__ __forceinline__ Element* operand_a(int buffer) const {
    auto* bytes = reinterpret_cast<unsigned char*>(shared_);
    return reinterpret_cast<Element*>(bytes + (place_.slice * kBuffers + buffer) * kBufferBytes);
  }

  __device__ __forceinline__ void store(const OperandA& a, const OperandB& b, int buffer) const {
    Element* tile = operand_a(buffer);
    a.store(tile);
    b.store(tile + OperandA::Layout::kElements);
  }

  __device__ __forceinline__ void multiply(int buffer) {
    const Element* tile = operand_a(buffer);
    sums_.template multiply<typename OperandA::Layout, typename OperandB::Layout>(
        place_, tile, tile + OperandA::Layout::kElements);
  }

  __device__ __forceinline__ static void slice_barrier() {
    if constexpr (Shape::kSliceWarps == 1) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  }

  Place<Shape> place_;
  float4* shared_;
  Sums sums_;
};

}  // namespace gradflip
