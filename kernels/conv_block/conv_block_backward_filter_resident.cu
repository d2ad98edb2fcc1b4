// The gradients of conv_block with respect to its filter and bias on tensor cores, for the plain
// case: x, dpooled and winners of an image come by cp.async while the images before are computed.
// Read conv_block_backward_filter.cu first: the same by the engine, and the reference in tests.
//
//   dfilter[r,s,c,k] (+)= sum over n,p,q of x[n,h,w,c] * dy[n,p,q,k]
//   dbias[k]         (+)= sum over n,p,q of dy[n,p,q,k]
//   dy[n,p,q,k] = dpooled of the window around (p,q) if its winner is (p,q), else 0
//
// Decomposition  a block computes 80 taps by 16, 32 or 48 filters over some of the images: of the
//                paper's second layer a row of the filter for 16 channels, of its first layer all
//                taps. Taps are read at their places in a slab of x, dy is made of dpooled and
//                winners on its way to the fragment (resident_backward_filter.cuh). Warps share an
//                image's windows, each with all of the block's sums in its registers. They add up
//                in shared memory, four at a time, and make a part; the last block of a tile adds
//                the parts.
// Pipeline       three stages of one image, or several where one has no step for every warp; two
//                are under way. One barrier a stage.
// Cost           2 * N*P*Q * R*S*C*K operations, dense. The paper's layers, second / first, at
//                batch 128, for an image in tf32: 2,400 / 1,440 mma (half as many in bf16, which
//                takes as many passes), 4,300 / 4,100 passes over shared memory. 130 / 128 blocks
//                of 10 / 2 images, 13 / 64 parts; to add up the warps and to write a part takes
//                1,900 / 650 passes, adding the parts 200 KB / twice 41 KB on one multiprocessor.
// Issue slots    sm_90a (SASS), 16 / 32 / 48 filters: 201 / 239 / 279 instructions of a warp for
//                the 10 / 20 / 30 mma of its step in tf32, 314 / 364 / 426 for those of twice as
//                many windows in bf16. Copies come on top, for the paper's second layer about 90 a
//                step. So it is instructions that the loop waits for: some 7,400 cycles for the ten
//                images of a block, where mma.sync takes 3,840.
// Occupancy      sm_90a (ptxas), 16 / 32 / 48 filters: 127 / 181 / 225 registers in tf32, 167 / 228
//                / 254 in bf16, nothing spills; one block of 256 threads.
// Numerics       operands rounded to tf32 or bf16 as they enter the fragments, but dy for dbias not
//                at all; f32 sums: a warp's over its windows in order, then warps, then parts in
//                order. How images are split depends on the shape and on how many multiprocessors
//                there are, so a run repeats bit for bit.
// Banks          no conflicts in the loop; copies of two pixels of 16 channels meet (8 passes for
//                4, 12 requests an image). Winners of 16 filters are half a sector.
#include <algorithm>
#include <cstdint>
#include <iterator>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/filter_gradient_parts.cuh"
#include "kernels/conv_block/cuda/resident_backward_filter.cuh"
#include "kernels/conv_block/cuda/resident_filter_sums.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

using namespace resident_backward_filter;

template <Math kMath, int BN>
__global__ void __launch_bounds__(kThreads, 1)
    conv_block_backward_filter_resident_kernel(FilterGradient args) {
  auto* shared = dynamic_shared<float>();
  GRADFLIP_SHARED(unsigned, last, [1]);
  BlockPlace block(args);
  block.k *= BN;
  const int stage_floats = args.stage_images * args.image_floats;
  if (args.pad_h > 0 || args.pad_w > 0) {  // what copies leave out
    for (int i = static_cast<int>(threadIdx.x); i < kStages<BN> * stage_floats; i += kThreads) {
      shared[i] = 0.0F;
    }
    __syncthreads();  // no copy is overtaken by a zero
  }
  const auto fetch = [&](std::int64_t first, int stage) {
    for (int image = 0; image < args.stage_images; ++image) {
      if (first + image >= block.end_image) break;
      copy_image<BN>(args, block, first + image,
                     shared + stage * stage_floats + image * args.image_floats);
    }
    cp_async_commit();  // come what may: the count of groups under way stays constant
  };
#pragma unroll
  for (int stage = 0; stage < kStages<BN> - 1; ++stage) {
    fetch(block.first_image + stage * args.stage_images, stage);
  }
  WarpSums<kMath, BN> sums(args, block);
  int stage = 0;
  for (std::int64_t n = block.first_image; n < block.end_image; n += args.stage_images) {
    cp_async_wait<kStages<BN> - 2>();
    // The stage has come for all threads, and all have read the one that is filled next.
    __syncthreads();
    fetch(n + (kStages<BN> - 1) * args.stage_images, (stage + kStages<BN> - 1) % kStages<BN>);
    const auto images = static_cast<int>(min(block.end_image - n, std::int64_t{args.stage_images}));
    sums.multiply(args, images * static_cast<int>(args.windows.value()),
                  shared + stage * stage_floats);
    stage = (stage + 1) % kStages<BN>;
  }
  cp_async_wait<0>();  // no copy outlives its block
  __syncthreads();     // the sums overwrite what they were made of
  using Staged = StagedRows<BN>;
  float4 totals[(Staged::kVectors + kThreads - 1) / kThreads] = {};
  add_warps(sums, reinterpret_cast<float4*>(shared), totals);
  const auto offset_of = [&](int i) {
    const int k = Staged::quad(i) * 4;
    const std::int64_t offset =
        block.k + k < args.K ? part_offset(args, block, Staged::row(i)) : -1;
    return offset < 0 ? offset : offset + k;
  };
  const std::int64_t size = (std::int64_t{args.R} * args.row_elements + 1) * args.K;
#pragma unroll
  for (int j = 0; j < static_cast<int>(std::size(totals)); ++j) {
    const int i = static_cast<int>(threadIdx.x) + j * kThreads;
    const std::int64_t offset = i < Staged::kVectors ? offset_of(i) : -1;
    if (offset < 0) continue;
    *reinterpret_cast<float4*>(args.finish.parts + block.part * size + offset) = totals[j];
  }
  if (args.finish.groups.count == 0) return;
  std::uint32_t* tickets =
      args.finish.watch.state->tickets + block.tile * (args.finish.groups.count + 1);
  finish_parts(args.finish.groups, block.part, tickets, last,
               [&](int first, int step, int count, bool is_final) {
                 add_parts<kThreads, Staged::kVectors, 4>(args.finish, size, first, step, count,
                                                          is_final, offset_of);
               });
}

bool has_many_channels(const Conv2dShape& conv) {
  return conv.C % kChannels == 0 && conv.S <= kFragments;
}
// Whether a row of the filter is few enough elements, and rows of x are whole vectors.
bool has_few_channels(const Conv2dShape& conv) {
  return conv.S * conv.C <= kRows && conv.W * conv.C % 4 == 0;
}

TapLayout layout_of(const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  const auto C = static_cast<int>(conv.C);
  const auto S = static_cast<int>(conv.S);
  const auto W = static_cast<int>(conv.W);
  const auto pad = static_cast<int>(conv.pad_w);
  const bool many = has_many_channels(conv);
  TapLayout taps{};
  taps.row_fragments = many ? S : static_cast<int>(tiles_of(S * C, 16));
  taps.group_rows = std::min(kFragments / taps.row_fragments, static_cast<int>(conv.R));
  taps.channel_blocks = many ? C / kChannels : 1;
  taps.filter_step = many ? C : 16;
  taps.pixel = many ? kPixelPitch : C;
  taps.slab_step = many ? kPixelPitch : 16;
  taps.last = many ? (S - 1) * kPixelPitch + kChannels - 1 : S * C - 1;
  taps.left = static_cast<int>(round_up(pad * taps.pixel, 4));
  taps.runs = many ? W : 1;
  taps.run = taps.pixel;
  taps.chunks = (many ? kChannels : W * C) / 4;
  const int floats = taps.left + (W + pad) * taps.pixel;
  taps.row = static_cast<int>(round_up(floats + 16, 32) - 16);
  taps.slab_rows = 2 * static_cast<int>(shape.PP()) + taps.group_rows - 1;
  return taps;
}

// Of the filter's taps, and of the filters.
template <int BN>
std::int64_t tiles_for(const ConvBlockShape& shape) {
  const TapLayout taps = layout_of(shape);
  return tiles_of(shape.conv.R, taps.group_rows) * taps.channel_blocks * tiles_of(shape.conv.K, BN);
}

// Columns of a block. The width that computes the fewest for nothing, of equals the larger. But
// where that leaves a block one image, two by half as many columns are less to add up afterwards.
std::int64_t width_of(Cuda ctx, const ConvBlockShape& shape) {
  const std::int64_t K = shape.conv.K;
  if (round_up(K, 48) <= round_up(K, 32)) return 48;
  return shape.conv.N * tiles_for<32>(shape) <= ctx.gpu->multiprocessors ? 16 : 32;
}

// Calls function.operator()<BN>() for it.
template <typename Function>
auto with_width(Cuda ctx, const ConvBlockShape& shape, const Function& function) {
  switch (width_of(ctx, shape)) {
    case 16:
      return function.template operator()<16>();
    case 32:
      return function.template operator()<32>();
    default:
      return function.template operator()<48>();
  }
}

std::int64_t tiles_for(Cuda ctx, const ConvBlockShape& shape) {
  return with_width(ctx, shape, [&]<int BN>() { return tiles_for<BN>(shape); });
}

template <int BN>
std::int64_t image_floats(const ConvBlockShape& shape) {
  return layout_of(shape).slab_floats() + shape.PP() * shape.PQ() * BN * 5 / 4;
}

// So many images that every warp has a step of a stage, or as many as there is room for on any GPU:
// which windows a warp adds up, in which order, depends on it.
template <int BN>
std::int64_t stage_images(const ConvBlockShape& shape) {
  const std::int64_t windows = kWarps * (shape.conv.math == Math::kBf16 ? 4 : 2);
  const std::int64_t room = kMostSharedThatPays / static_cast<std::int64_t>(sizeof(float)) /
                            (kStages<BN> * image_floats<BN>(shape));
  return std::clamp<std::int64_t>(tiles_of(windows, shape.PP() * shape.PQ()), 1,
                                  std::max<std::int64_t>(room, 1));
}

template <int BN>
std::int64_t shared_bytes(const ConvBlockShape& shape) {
  const std::int64_t stages = kStages<BN> * stage_images<BN>(shape) * image_floats<BN>(shape);
  return std::max(stages, std::int64_t{kStagedWarps} * StagedRows<BN>::kFloats) *
         static_cast<std::int64_t>(sizeof(float));
}

// Of the widths that width_of() may choose for this shape, whatever N and the GPU are: so whether a
// GPU has room for a block depends on neither, and a workspace for N images holds the parts of
// less.
std::int64_t most_shared_bytes(const ConvBlockShape& shape) {
  const std::int64_t K = shape.conv.K;
  if (round_up(K, 48) <= round_up(K, 32)) return shared_bytes<48>(shape);
  return std::max(shared_bytes<16>(shape), shared_bytes<32>(shape));
}

constexpr std::int64_t kStaticBytes = 128;  // `last`: what is dynamic begins on 128

bool is_suited(Cuda ctx, const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  if (!is_resident_math(conv.math) || !is_plain(shape) || conv.dilation_h != 1 ||
      conv.dilation_w != 1 || conv.K % 4 != 0 || !are_int_offsets(conv)) {
    return false;
  }
  return (has_many_channels(conv) || has_few_channels(conv)) &&
         has_shared(ctx, most_shared_bytes(shape), kStaticBytes);
}

template <Math kMath, int BN>
void launch_parts(Cuda ctx, const ConvBlockShape& shape, const float* x, const float* dpooled,
                  const std::uint8_t* winner, const Finish& finish) {
  const Conv2dShape& conv = shape.conv;
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const std::int64_t part_images =
      tiles_of(conv.N, conv_block_backward_filter_resident_parts(ctx, shape));
  const std::int64_t parts = tiles_of(conv.N, part_images);
  const TapLayout taps = layout_of(shape);
  FilterGradient gradient{.x = x,
                          .dpooled = dpooled,
                          .winner = winner,
                          .finish = finish,
                          .N = conv.N,
                          .part_images = part_images,
                          .H = narrow(conv.H),
                          .W = narrow(conv.W),
                          .C = narrow(conv.C),
                          .K = narrow(conv.K),
                          .R = narrow(conv.R),
                          .pad_h = narrow(conv.pad_h),
                          .pad_w = narrow(conv.pad_w),
                          .row_elements = narrow(conv.S * conv.C),
                          .stage_images = narrow(stage_images<BN>(shape)),
                          .image_floats = narrow(image_floats<BN>(shape)),
                          .slab_floats = taps.slab_floats(),
                          .taps = taps,
                          .tiles = Divisor(tiles_for<BN>(shape)),
                          .tiles_n = Divisor(tiles_of(conv.K, BN)),
                          .channel_blocks = Divisor(taps.channel_blocks),
                          .PQ = Divisor(shape.PQ()),
                          .windows = Divisor(shape.PP() * shape.PQ()),
                          .chunks = Divisor(taps.chunks),
                          .runs = Divisor(taps.runs)};
  const PartGroups groups = part_groups(parts);
  if (finish.watch.state != nullptr && tickets_suffice(groups, gradient.tiles.value())) {
    gradient.finish.groups = groups;
  }
  launch(conv_block_backward_filter_resident_kernel<kMath, BN>,
         dim3(static_cast<unsigned>(parts * gradient.tiles.value())), dim3(kThreads),
         static_cast<std::size_t>(shared_bytes<BN>(shape)), ctx, gradient);
  if (gradient.finish.groups.count > 0) return;
  sum_partials(ctx, finish.parts, narrow(parts), finish.targets, Scale{}, finish.write,
               finish.watch);
}

}  // namespace

std::int64_t conv_block_backward_filter_resident_parts(Cuda ctx, const ConvBlockShape& shape) {
  const std::int64_t N = shape.conv.N;
  if (N == 0 || !is_suited(ctx, shape)) return 0;
  return std::min(N, std::max<std::int64_t>(ctx.gpu->multiprocessors / tiles_for(ctx, shape), 1));
}

bool conv_block_backward_filter_resident_can(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                             const float* dpooled, const std::uint8_t* winner) {
  return is_suited(ctx, shape) && begins_on(sizeof(float4), x) &&
         begins_on(sizeof(float4), dpooled) && begins_on(sizeof(uchar4), winner);
}

bool conv_block_backward_filter_resident_pays(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                              const float* dpooled, const std::uint8_t* winner) {
  if (!conv_block_backward_filter_resident_can(ctx, shape, x, dpooled, winner)) return false;
  const Conv2dShape& conv = shape.conv;
  return most_shared_bytes(shape) <= kMostSharedThatPays &&
         tiles_for(ctx, shape) * kRows * width_of(ctx, shape) <=
             2 * conv.R * conv.S * conv.C * conv.K;
}

void conv_block_backward_filter_resident(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                         const float* dpooled, const std::uint8_t* winner,
                                         Write write, float* dfilter, float* dbias,
                                         float* workspace, const GradientWatch& watch) {
  require_valid(shape);
  require_extents(shape.conv);
  const Conv2dShape& conv = shape.conv;
  GRADFLIP_REQUIRE(conv_block_backward_filter_resident_can(ctx, shape, x, dpooled, winner),
                   message("conv_block_backward_filter_resident: C and K are ", conv.C, ", ",
                           conv.K, "; plain pools and vectors of 16 bytes are needed"));
  const SumTargets targets{dfilter, part_floats(conv) - conv.K, dbias, conv.K};
  const Finish finish{workspace, targets, write, watch, {}};
  if (conv.N == 0) {
    return sum_partials(ctx, workspace, 0, targets, Scale{}, write, watch);
  }
  with_resident_math(conv.math, [&]<Math kMath>() {
    with_width(ctx, shape,
               [&]<int BN>() { launch_parts<kMath, BN>(ctx, shape, x, dpooled, winner, finish); });
  });
}

}  // namespace gradflip
