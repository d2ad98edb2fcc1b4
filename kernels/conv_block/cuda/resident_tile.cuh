// What the resident convolutions have in common: the operand that is gathered lies in shared memory
// as an image, brought there once, and fragments are read from it in place, each of a fragment's
// rows at its own pixel. Nothing is gathered from global memory, and no im2col matrix exists.
//
// A slab is a piece of an image, channels innermost, rounded to the mode's precision. It is
// addressed in vectors of 16 bytes: four channels in tf32, eight in bf16. One mma instruction takes
// two vectors of a pixel in either mode, one ldmatrix brings them for 16 pixels.
//
// Channels of bf16 are permuted within 16: a vector holds 0, 4, 1, 5, 2, 6, 3, 7, the next one the
// same of the upper half. That is the order in which FragmentReader (pipelined_tile.cuh) makes
// fragments of f32 of the other operand.
//
// Banks  a pixel takes an odd number of vectors, a row of pixels four more than a multiple of
//        eight. So the eight pixels of two rows by four columns, one matrix of ldmatrix, begin in
//        eight different groups of four banks, and so do two neighbouring windows of 2 x 2.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/conv2d.h"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/tile_operand.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

template <Math kMath>
inline constexpr int kVectorChannels = static_cast<int>(sizeof(uint4) /
                                                        sizeof(StagedElement<kMath>));

// Distances in a slab, in vectors.
struct SlabPitch {
  int pixel, row;
};

template <Math kMath>
SlabPitch slab_pitch(std::int64_t width, std::int64_t channels) {
  const std::int64_t pixel = channels / kVectorChannels<kMath> | 1;
  return {static_cast<int>(pixel), static_cast<int>(round_up(width * pixel + 4, 8) - 4)};
}

// One vector of a slab from kVectorChannels neighbouring channels.
__device__ __forceinline__ uint4 slab_vector(const Floats<4> (&x)[1]) {
  return make_uint4(to_tf32(x[0].at[0]), to_tf32(x[0].at[1]), to_tf32(x[0].at[2]),
                    to_tf32(x[0].at[3]));
}
__device__ __forceinline__ uint4 slab_vector(const Floats<4> (&x)[2]) {
  return make_uint4(pack_bf16(x[0].at[0], x[1].at[0]), pack_bf16(x[0].at[1], x[1].at[1]),
                    pack_bf16(x[0].at[2], x[1].at[2]), pack_bf16(x[0].at[3], x[1].at[3]));
}

// Modes of the resident kernels. f32 is bound by its multiplications, not by what it waits for, and
// the split operands of tf32x3 would take twice the registers that sums leave: both stay with the
// engine of tile_gemm.cuh.
constexpr bool is_resident_math(Math math) { return math == Math::kTf32 || math == Math::kBf16; }

// Calls function.operator()<Math>() for one of these.
template <typename Function>
void with_resident_math(Math math, const Function& function) {
  math == Math::kBf16 ? function.template operator()<Math::kBf16>()
                      : function.template operator()<Math::kTf32>();
}

// The loop of a kernel whose filter comes in stages, of one step for each of kGroups groups of
// warps: copy(step, stage) starts copying the steps from `step` on, prepare() does what else is to
// be done and returns the sums, multiply(sums, step, stage) computes the steps. All but one of
// kStages stages are under way. After it shared memory is free for other use.
template <int kGroups, int kStages, typename Stage, typename Copy, typename Prepare,
          typename Multiply>
__device__ __forceinline__ auto for_each_stage(int steps, Stage* stages, const Copy& copy,
                                               const Prepare& prepare, const Multiply& multiply) {
  // A group per stage, come what may, keeps the count of those under way constant.
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) {
    copy(stage * kGroups, stages[stage]);
    cp_async_commit();
  }
  auto sums = prepare();
  for (int step = 0; step < steps; step += kGroups) {
    cp_async_wait<kStages - 2>();
    // The stage, and what prepare() stored, has come for all threads; and all have read the stage
    // of the step before, which is filled next.
    __syncthreads();
    const int next = step + (kStages - 1) * kGroups;
    copy(next, stages[next / kGroups % kStages]);
    cp_async_commit();
    multiply(sums, step, stages[step / kGroups % kStages]);
  }
  cp_async_wait<0>();  // no copy outlives its block
  __syncthreads();     // the last stage has been read: its memory is free
  return sums;
}

// Whether offsets within an image and within the filter are ints.
inline bool are_int_offsets(const Conv2dShape& conv) {
  return conv.H <= INT32_MAX / conv.W / conv.C && conv.R * conv.S * conv.C <= INT32_MAX / conv.K;
}

// Whether a block of the GPU can have so much shared memory, of which static arrays take their
// part.
inline bool has_shared(const Cuda& ctx, std::int64_t dynamic_bytes, std::int64_t static_bytes = 0) {
  return dynamic_bytes + static_bytes <= ctx.gpu->block_shared_bytes;
}

// Dynamic shared memory up to which a resident kernel is chosen where it can run: what two blocks
// of an H100's multiprocessor have room for, and one block on any GPU from sm_80 on (sm_86, sm_89
// and sm_120 have 99 KiB). All of these choose alike, then, and sums have one order, but for those
// of the filter's gradient, whose parts depend on the GPU anyway. With more, a multiprocessor has
// one block, and waits where it waits.
inline constexpr std::int64_t kMostSharedThatPays = 98 * 1024;

}  // namespace gradflip
