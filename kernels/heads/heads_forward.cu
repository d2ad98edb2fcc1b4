// Forward of all heads on CUDA, with losses, counts of right rows, and the gradients down to the
// first layers' outputs: one launch.
//
//   z[0] = features weights[0]^T + biases[0], ... logits, loss, dlogits, ... dlayers[0]
//
// Decomposition  A block computes a tile of one head's first layer, 32 outputs of 16 rows, on the
//                engine of tile_gemm.cuh: weights are its A, features its B, and its warps split
//                the features, for the layer is 100 x 768 and waiting for memory most of its time.
//                At small batches blocks split the features as well. The block of a row group that
//                finishes last (a ticket) adds the parts and takes the rows through the other
//                layers and the loss and back (heads_tail.cuh), in shared memory. The block that is
//                last of all adds the groups' losses and counts. Large batches take tiles of 64 x
//                32; so many rows that tickets would run out, groups of several tiles.
//                That hidden gradients are made here, once for each row, leaves dfeatures a plain
//                product (heads_backward.cu); there every tile of columns would make its own.
// Numerics       f32 sums; operands of the first layer rounded as the mode allows, the other layers
//                in f32. How features are split depends on the shape, the number of rows included,
//                and on how many multiprocessors there are.
//                Losses in double: rows of a group by a tree, then groups by a tree.
// Cost           the paper's heads (768 -> 100 -> 100 -> 10 on 64 rows, 768 -> 100 -> 1 on 128):
//                0.034 GFLOP; 1.2 MB from memory, and from L2 74 KB a block at batch 128.
//                Estimate on paper at batch 128, 96 blocks on an H100: 7 us, of which launch 2,
//                first layer 1, the last blocks' way forth and back 4.
// Issue slots    sm_90a (SASS), small tiles: 303 / 207 instructions of a warp for a step of the
//                first layer, 8 / 4 mma in tf32 / bf16: loading and rounding, not products. At
//                batch 128 a warp has few steps and the way from block to block is what takes the
//                time.
// Occupancy      sm_90a (ptxas), f32 / tf32 / bf16: small tiles 256 threads, 168 registers, 33 KB,
//                one block a multiprocessor; large ones 128 threads, 213 / 226 / 211 registers, 37
//                / 41 / 41 KB, two. Nothing spills.
#include <algorithm>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/heads.h"
#include "kernels/heads/heads_tail.cuh"
#include "kernels/require.h"

namespace gradflip {
namespace {

using ByRows = DenseLoader<Along::kK>;

struct HeadList {
  HeadTensors at[kMaxHeads];
};

// A row group's share of a head's loss and count.
struct GroupSums {
  double loss, correct;
};

// Groups of rows and blocks, head by head. Blocks of a group are neighbours: for each tile of the
// first layer's outputs, the parts of its features.
struct ForwardPlan {
  int first_group[kMaxHeads + 1] = {};
  int first_block[kMaxHeads + 1] = {};
  int group_blocks[kMaxHeads] = {};
  int parts = 1;
  int row_tiles = 1;  // of a group
  std::int64_t part_features = 0;
  SoftmaxTargets targets[kMaxHeads] = {};
  GroupSums* sums = nullptr;
  float* tiles = nullptr;  // for each block and row tile, BN rows of BM outputs
};

// The first layer of one group of rows, as its blocks left it.
template <typename Shape>
struct FirstLayer {
  static constexpr std::int64_t kTileFloats = std::int64_t{Shape::BM} * Shape::BN;
  const float* tiles;  // the group's first
  std::int64_t row_begin;
  int parts, row_tiles;

  __device__ __forceinline__ float sum(std::int64_t row, int o) const {
    const int r = static_cast<int>(row - row_begin);
    const std::int64_t tile = std::int64_t{o / Shape::BM * parts} * row_tiles + r / Shape::BN;
    const float* from = tiles + tile * kTileFloats + r % Shape::BN * Shape::BM + o % Shape::BM;
    float sum = __ldcg(from);
    for (int part = 1; part < parts; ++part) {
      from += row_tiles * kTileFloats;
      sum += __ldcg(from);
    }
    return sum;
  }
};

// One part of one tile: features from feature_begin on.
template <typename Shape>
__device__ __forceinline__ void multiply_first_layer(const HeadsShape& shape, const HeadShape& head,
                                                     const float* weight, const float* features,
                                                     std::int64_t first_output, std::int64_t row,
                                                     std::int64_t feature_begin,
                                                     std::int64_t feature_end, float4* shared,
                                                     float* to) {
  const ByRows weights(weight, head.widths[0], shape.features);
  const ByRows rows(features + head.row_begin * shape.features, head.rows, shape.features);
  TileProduct<Shape, ByRows, ByRows> product(shared);
  product.add(weights, rows, first_output, row, feature_begin, feature_end);
  const auto tile = product.stage();
  for (int i = static_cast<int>(threadIdx.x); i < Shape::BM * Shape::BN; i += Shape::kThreads) {
    // Patches of 8 outputs, a sector, by 4 rows: neighbouring lanes read different banks.
    const int m = i / 4 % 8 + i / 32 % (Shape::BM / 8) * 8;
    const int n = i % 4 + i / (4 * Shape::BM) * 4;
    to[n * Shape::BM + m] = tile(m, n);
  }
  __syncthreads();  // the next tile's operands take the place of this one's sums
}

template <int kThreads>
__device__ __forceinline__ void add_groups(const HeadsShape& shape, const HeadList& heads,
                                           const ForwardPlan& plan) {
  for (int h = 0; h < shape.num_heads; ++h) {
    GroupSums own = {};
    for (int g = plan.first_group[h] + static_cast<int>(threadIdx.x); g < plan.first_group[h + 1];
         g += kThreads) {
      own.loss += __ldcg(&plan.sums[g].loss);
      own.correct += __ldcg(&plan.sums[g].correct);
    }
    const double loss = block_reduce<kThreads>(own.loss, Sum{});
    const double correct = block_reduce<kThreads>(own.correct, Sum{});
    if (threadIdx.x != 0) continue;
    *heads.at[h].loss = static_cast<float>(loss);
    *heads.at[h].correct = static_cast<float>(correct);
  }
}

// A group's rows from the end of the first layer to its gradient, and their sums.
template <typename Shape>
__device__ __forceinline__ void finish_group(const HeadsShape& shape, const HeadList& heads,
                                             const ForwardPlan& plan, int h, std::int64_t begin,
                                             const FirstLayer<Shape>& first, float* shared,
                                             GroupSums& group) {
  constexpr int kThreads = Shape::kThreads;
  const std::int64_t end =
      min(begin + std::int64_t{plan.row_tiles} * Shape::BN, shape.heads[h].rows);
  HeadSums own;
  for (std::int64_t row = begin; row < end; row += kSmallRows) {
    HeadTail<kThreads>(shape.heads[h], heads.at[h], plan.targets[h], row, shared).run(first, own);
  }
  const double loss = block_reduce<kThreads>(own.loss, Sum{});
  const double correct = block_reduce<kThreads>(static_cast<double>(own.correct), Sum{});
  if (threadIdx.x == 0) group = {loss, correct};
}

template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    heads_forward_kernel(HeadsShape shape, HeadList heads, ForwardPlan plan,
                         const float* __restrict__ features, std::uint32_t* tickets) {
  using Product = TileProduct<Shape, ByRows, ByRows>;
  using Tail = HeadTail<Shape::kThreads>;
  constexpr std::int64_t kTileFloats = FirstLayer<Shape>::kTileFloats;
  GRADFLIP_SHARED(float4, shared, [std::max(Product::kSharedVectors, Tail::kSharedFloats / 4)]);
  GRADFLIP_SHARED(unsigned, last, [1]);
  const int groups = plan.first_group[shape.num_heads];
  const auto block = static_cast<int>(blockIdx.x);
  if (groups > 0) {
    int h = 0;
    while (block >= plan.first_block[h + 1]) ++h;
    const int in_head = (block - plan.first_block[h]) / plan.group_blocks[h];
    const int in_group = (block - plan.first_block[h]) % plan.group_blocks[h];
    const int group = plan.first_group[h] + in_head;
    const std::int64_t output = std::int64_t{in_group / plan.parts} * Shape::BM;
    const std::int64_t feature = in_group % plan.parts * plan.part_features;
    const std::int64_t begin = std::int64_t{in_head} * plan.row_tiles * Shape::BN;
    float* tiles = plan.tiles + std::int64_t{block} * plan.row_tiles * kTileFloats;
    for (int t = 0; t < plan.row_tiles; ++t) {
      multiply_first_layer<Shape>(shape, shape.heads[h], heads.at[h].weights[0], features, output,
                                  begin + t * Shape::BN, feature,
                                  min(feature + plan.part_features, shape.features), shared,
                                  tiles + t * kTileFloats);
    }
    if (!is_last_block(tickets + group, static_cast<unsigned>(plan.group_blocks[h]), last)) return;

    const FirstLayer<Shape> first{tiles - std::int64_t{in_group} * plan.row_tiles * kTileFloats,
                                  begin, plan.parts, plan.row_tiles};
    finish_group<Shape>(shape, heads, plan, h, begin, first, reinterpret_cast<float*>(shared),
                        plan.sums[group]);
    if (!is_last_block(tickets + groups, static_cast<unsigned>(groups), last)) return;
  }
  add_groups<Shape::kThreads>(shape, heads, plan);
}

// Few rows a block, so that there are many blocks.
template <Math kMath>
using Small = Tile<kMath, 32, 16, 1, 1, 8>;
// A third of the traffic, where there are enough blocks of them.
template <Math kMath>
using Large = Tile<kMath, large_tile<kMath>(64), 32, 1, 1, 4>;
constexpr std::int64_t kMaxGroups = kMaxTickets - 1;  // and one ticket for all of them

template <typename Shape>
std::int64_t count_tiles(const HeadsShape& shape) {
  std::int64_t tiles = 0;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    tiles += tiles_of(head.rows, Shape::BN) * tiles_of(head.widths[0], Shape::BM);
  }
  return tiles;
}

std::int64_t count_groups(const HeadsShape& shape, std::int64_t group_rows) {
  std::int64_t groups = 0;
  for (int h = 0; h < shape.num_heads; ++h) groups += tiles_of(shape.heads[h].rows, group_rows);
  return groups;
}

// So few tiles that most of the device would wait: the features of each are split, too. A part is
// whole steps of every warp.
template <typename Shape>
std::int64_t part_features(Cuda ctx, const HeadsShape& shape) {
  constexpr std::int64_t kStep = std::int64_t{Shape::BK} * Shape::kSlices;
  constexpr std::int64_t kMostParts = 4;
  const std::int64_t tiles = std::max(count_tiles<Shape>(shape), std::int64_t{1});
  const std::int64_t parts =
      std::clamp(ctx.gpu->multiprocessors / tiles, std::int64_t{1}, kMostParts);
  return round_up(tiles_of(shape.features, parts), kStep);
}

template <typename Shape>
ForwardPlan plan_of(Cuda ctx, const HeadsShape& shape, void* workspace) {
  ForwardPlan plan;
  while (count_groups(shape, std::int64_t{plan.row_tiles} * Shape::BN) > kMaxGroups) {
    plan.row_tiles *= 2;
  }
  plan.part_features = part_features<Shape>(ctx, shape);
  plan.parts = static_cast<int>(tiles_of(shape.features, plan.part_features));
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    const auto groups =
        static_cast<int>(tiles_of(head.rows, std::int64_t{plan.row_tiles} * Shape::BN));
    plan.group_blocks[h] = static_cast<int>(tiles_of(head.widths[0], Shape::BM)) * plan.parts;
    plan.first_group[h + 1] = plan.first_group[h] + groups;
    plan.first_block[h + 1] = plan.first_block[h] + groups * plan.group_blocks[h];
    plan.targets[h] = softmax_targets(head.label_smoothing, head.num_logits());
  }
  plan.sums = static_cast<GroupSums*>(workspace);
  plan.tiles = reinterpret_cast<float*>(plan.sums + kMaxTickets);  // whole sectors
  return plan;
}

template <typename Shape>
void launch_tiles(Cuda ctx, const HeadsShape& shape, const HeadList& heads, const float* features,
                  void* workspace, std::uint32_t* tickets) {
  const ForwardPlan plan = plan_of<Shape>(ctx, shape, workspace);
  // Without rows, one block writes the sums of nothing.
  const int blocks = std::max(1, plan.first_block[shape.num_heads]);
  launch(heads_forward_kernel<Shape>, dim3(static_cast<unsigned>(blocks)), dim3(Shape::kThreads), 0,
         ctx, shape, heads, plan, features, tickets);
}

}  // namespace

// Groups' sums, and the first layers of all heads in whole tiles and groups. Parts are at most as
// many as fill the device with small tiles.
std::int64_t heads_forward_workspace_bytes(Cuda ctx, const HeadsShape& shape) {
  require_valid(shape);
  std::int64_t floats =
      std::int64_t{ctx.gpu->multiprocessors} * FirstLayer<Small<Math::kF32>>::kTileFloats;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    std::int64_t rows = 2 * Large<Math::kF32>::BN;  // of the last group, more than there are
    while (count_groups(shape, rows / 2) > kMaxGroups) rows *= 2;
    floats += (head.rows + rows) * round_up(head.widths[0], Large<Math::kF32>::BM);
  }
  return kMaxTickets * static_cast<std::int64_t>(sizeof(GroupSums)) +
         floats * static_cast<std::int64_t>(sizeof(float));
}

void heads_forward(Cuda ctx, const HeadsShape& shape, const float* features,
                   std::span<const HeadTensors> heads, void* workspace,
                   const GradientWatch& watch) {
  require_heads(shape, heads);
  GRADFLIP_REQUIRE(watch.state != nullptr, "heads_forward: no tickets");
  HeadList list;
  std::copy(heads.begin(), heads.end(), list.at);
  std::uint32_t* tickets = watch.state->tickets;
  with_math(shape.math, [&]<Math kMath>() {
    count_tiles<Large<kMath>>(shape) < std::int64_t{2} * ctx.gpu->multiprocessors
        ? launch_tiles<Small<kMath>>(ctx, shape, list, features, workspace, tickets)
        : launch_tiles<Large<kMath>>(ctx, shape, list, features, workspace, tickets);
  });
}

}  // namespace gradflip
