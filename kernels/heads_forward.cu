// Forward of all heads on CUDA, with losses, counts of right rows, and the gradients down to the
// first layers' outputs: one launch.
//
//   z[0] = features weights[0]^T + biases[0], ... logits, loss, dlogits, ... dlayers[0]
//
// Decomposition  A block computes a tile of one head's first layer (32 or 64 outputs of a group of
//                16 or 32 rows) on the engine of tile_gemm.cuh: weights are its A, features its B,
//                and its warps split the features, for the layer is 100 x 768 and waiting for
//                memory most of its time. The block of a row group that finishes last (a ticket)
//                takes the group's rows through the other layers and the loss and back
//                (heads_tail.cuh), sixteen at a time, in shared memory. The block that is last of
//                all adds the groups' losses and counts. A batch of so many rows that tickets would
//                run out gets groups of several tiles.
//                That hidden gradients are made here, once for each row, leaves dfeatures a plain
//                product (heads_backward.cu); there every tile of columns would make its own.
// Numerics       f32 sums; operands of the first layer rounded as the mode allows, the other layers
//                in f32. A row's values depend on the tile, which depends on the numbers of rows
//                and outputs. Losses in double: rows of a group by a tree, then groups by a tree.
// Cost           the paper's heads (768 -> 100 -> 100 -> 10 on 64 rows, 768 -> 100 -> 1 on 128):
//                0.031 GFLOP forward and 0.003 back through the small layers; 1.2 MB from memory,
//                and from L2 98 KB of weights and 49 KB of features a block.
//                Estimate on paper at batch 128, 48 blocks: 6 us, of which launch 1.5, first layer
//                1.5, the last blocks' way forth and back 3.
#include <algorithm>

#include "kernels/cuda/heads_tail.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/heads.h"
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

// Groups of rows and blocks, head by head.
struct ForwardPlan {
  int first_group[kMaxHeads + 1] = {};
  int first_block[kMaxHeads + 1] = {};
  int tiles[kMaxHeads] = {};  // of the first layer's outputs: blocks of a group
  std::int64_t group_rows = 0;
  SoftmaxTargets targets[kMaxHeads] = {};
  GroupSums* sums = nullptr;
};

// z[0] of one tile, or of the logits where there is no other layer; hidden units after their ReLU.
template <typename Shape>
__device__ __forceinline__ void multiply_first_layer(const HeadsShape& shape, int h,
                                                     const HeadTensors& head, const float* features,
                                                     std::int64_t first_output, std::int64_t row,
                                                     float4* shared) {
  const HeadShape& sizes = shape.heads[h];
  const std::int64_t width = sizes.widths[0];
  const ByRows weights(head.weights[0], width, shape.features);
  const ByRows rows(features + sizes.row_begin * shape.features, sizes.rows, shape.features);
  TileProduct<Shape, ByRows, ByRows> product(shared);
  product.add(weights, rows, first_output, row, 0, shape.features);
  const auto tile = product.stage();
  const bool is_hidden = sizes.num_layers > 1;
  float* to = is_hidden ? head.hidden[0] : head.dlayers[0];
  for (int i = static_cast<int>(threadIdx.x); i < Shape::BM * Shape::BN; i += Shape::kThreads) {
    // Patches of 8 outputs, a sector, by 4 rows: neighbouring lanes read different banks.
    const int m = i / 4 % 8 + i / 32 % (Shape::BM / 8) * 8;
    const int n = i % 4 + i / (4 * Shape::BM) * 4;
    const std::int64_t o = first_output + m, r = row + n;
    if (o >= width || r >= sizes.rows) continue;
    const float z = tile(m, n) + head.biases[0][o];
    to[r * width + o] = is_hidden && z <= 0.0F ? 0.0F : z;
  }
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

template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    heads_forward_kernel(HeadsShape shape, HeadList heads, ForwardPlan plan,
                         const float* __restrict__ features, std::uint32_t* tickets) {
  constexpr int kThreads = Shape::kThreads;
  using Product = TileProduct<Shape, ByRows, ByRows>;
  using Tail = HeadTail<kThreads>;
  GRADFLIP_SHARED(float4, shared, [std::max(Product::kSharedVectors, Tail::kSharedFloats / 4)]);
  GRADFLIP_SHARED(unsigned, last, [1]);
  const int groups = plan.first_group[shape.num_heads];
  const auto block = static_cast<int>(blockIdx.x);
  if (groups > 0) {
    int h = 0;
    while (block >= plan.first_block[h + 1]) ++h;
    const int tiles = plan.tiles[h];
    const int in_head = (block - plan.first_block[h]) / tiles;
    const int group = plan.first_group[h] + in_head;
    const std::int64_t output = std::int64_t{(block - plan.first_block[h]) % tiles} * Shape::BM;
    const std::int64_t begin = in_head * plan.group_rows;
    const std::int64_t end = min(begin + plan.group_rows, shape.heads[h].rows);
    for (std::int64_t row = begin; row < end; row += Shape::BN) {
      multiply_first_layer<Shape>(shape, h, heads.at[h], features, output, row, shared);
      __syncthreads();  // the next tile's operands take the place of this one's sums
    }
    if (!is_last_block(tickets + group, static_cast<unsigned>(tiles), last)) return;

    HeadSums own;
    for (std::int64_t row = begin; row < end; row += kSmallRows) {
      Tail(shape.heads[h], heads.at[h], plan.targets[h], row, reinterpret_cast<float*>(shared))
          .run(own);
    }
    const double loss = block_reduce<kThreads>(own.loss, Sum{});
    const double correct = block_reduce<kThreads>(static_cast<double>(own.correct), Sum{});
    if (threadIdx.x == 0) plan.sums[group] = {loss, correct};
    if (!is_last_block(tickets + groups, static_cast<unsigned>(groups), last)) return;
  }
  add_groups<kThreads>(shape, heads, plan);
}

// Few rows a block, so that there are many blocks.
template <Math kMath>
using Small = Tile<kMath, 32, 16, 1, 1, 8>;
// A third of the traffic, where there are enough blocks of them.
template <Math kMath>
using Large = Tile<kMath, large_tile<kMath>(64), 32, 1, 1, 4>;
constexpr std::int64_t kManyBlocks = 2 * 132;
constexpr std::int64_t kMaxGroups = kMaxTickets - 1;  // and one ticket for all of them

std::int64_t count_groups(const HeadsShape& shape, std::int64_t group_rows) {
  std::int64_t groups = 0;
  for (int h = 0; h < shape.num_heads; ++h) groups += tiles_of(shape.heads[h].rows, group_rows);
  return groups;
}

template <typename Shape>
std::int64_t count_blocks(const HeadsShape& shape) {
  std::int64_t blocks = 0;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    blocks += tiles_of(head.rows, Shape::BN) * tiles_of(head.widths[0], Shape::BM);
  }
  return blocks;
}

template <typename Shape>
ForwardPlan plan_of(const HeadsShape& shape, void* workspace) {
  ForwardPlan plan;
  plan.group_rows = Shape::BN;
  while (count_groups(shape, plan.group_rows) > kMaxGroups) plan.group_rows *= 2;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    const auto groups = static_cast<int>(tiles_of(head.rows, plan.group_rows));
    plan.tiles[h] = static_cast<int>(tiles_of(head.widths[0], Shape::BM));
    plan.first_group[h + 1] = plan.first_group[h] + groups;
    plan.first_block[h + 1] = plan.first_block[h] + groups * plan.tiles[h];
    plan.targets[h] = softmax_targets(head.label_smoothing, head.num_logits());
  }
  plan.sums = static_cast<GroupSums*>(workspace);
  return plan;
}

template <typename Shape>
void launch_tiles(Cuda ctx, const HeadsShape& shape, const HeadList& heads, const float* features,
                  void* workspace, std::uint32_t* tickets) {
  const ForwardPlan plan = plan_of<Shape>(shape, workspace);
  // Without rows, one block writes the sums of nothing.
  const int blocks = std::max(1, plan.first_block[shape.num_heads]);
  launch(heads_forward_kernel<Shape>, dim3(static_cast<unsigned>(blocks)), dim3(Shape::kThreads), 0,
         ctx.stream, shape, heads, plan, features, tickets);
}

}  // namespace

std::int64_t heads_forward_workspace_bytes(Cuda /*ctx*/, const HeadsShape& /*shape*/) {
  return kMaxGroups * static_cast<std::int64_t>(sizeof(GroupSums));
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
    count_blocks<Large<kMath>>(shape) < kManyBlocks
        ? launch_tiles<Small<kMath>>(ctx, shape, list, features, workspace, tickets)
        : launch_tiles<Large<kMath>>(ctx, shape, list, features, workspace, tickets);
  });
}

}  // namespace gradflip
