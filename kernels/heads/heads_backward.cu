// What heads send back, on CUDA, from the gradients that heads_forward left: with respect to their
// features, and to all weights and biases. One launch each.
//
//   dfeatures         one term of gemm_terms (gemm.cu) a head, its input_scale a factor of the
//                     operand as it is loaded. All that follows is about the parameters.
//   dweights[l][o][k] = sum over rows of dlayers[l][r][o] * h[l][r][k]
//   dbiases[l][o]     = sum over rows of dlayers[l][r][o]
//
// Decomposition  a list of matrix products, one for each layer, (outputs) x (inputs + 1) over rows:
//                right of the last input stands a column of ones, whose sums are dbiases. A block
//                computes a tile of 32 x 32 on the engine of tile_gemm.cuh, its warps splitting the
//                rows. Many rows are split over blocks as well: each writes its share to the
//                workspace, and the last block of the tile to finish (a ticket) adds the shares.
//                Where there are more tiles than tickets there are blocks enough without that.
// Numerics       f32 sums; operands rounded as the mode allows: dlayers in dbiases, too. How rows
//                are split depends on the shape only, and parts are added in order.
// Cost           the paper's heads (768 -> 100 -> 100 -> 10 on 64 rows, 768 -> 100 -> 1 on 128):
//                0.031 GFLOP; 1.8 MB from memory, and from L2 4 * (32 + 32) bytes a row and block.
//                Estimate on paper at batch 128, 224 blocks on an H100: 3 us, of which launch 2.
// Issue slots    sm_90a (SASS): 701 / 546 instructions of a warp for a step, 16 / 8 mma in tf32 /
//                bf16: most of them ask where rows and columns end. A block has two steps at batch
//                128.
// Occupancy      sm_90a (ptxas), f32 / tf32 / bf16: 145 / 144 / 128 registers, 18 / 20 / 20 KB,
//                three, three and four blocks of 128 threads. Nothing spills.
#include <algorithm>
#include <array>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/heads.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

using ByColumns = DenseLoader<Along::kOuter>;

// A matrix, and right of it a column of ones.
struct ColumnsAndOnes : ByColumns {
  using ByColumns::ByColumns;
  struct Outer {
    ByColumns::Outer spot;
    bool ones;  // among the four
  };

  __device__ __forceinline__ Outer outer(std::int64_t i) const {
    return {ByColumns::outer(i), i <= pitch && pitch < i + kWidth};
  }
  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& line) const {
    if (!outer.ones) return ByColumns::fetch(outer.spot, line);
    Floats<4> x{};
    if (line.begin == nullptr) return x;
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      if (v < outer.spot.count) x.at[v] = line.begin[outer.spot.at + v];
      if (v == outer.spot.count) x.at[v] = 1.0F;
    }
    return x;
  }
};

// One layer's product.
struct LayerProduct {
  const float* dlayer;  // (rows, outputs)
  const float* x;       // (rows, inputs)
  float* dweight;       // null: not wanted
  float* dbias;
  std::int64_t rows, outputs, inputs;
  std::int64_t part_rows;  // of each part but the last
  float* parts;            // (number of parts, outputs, inputs + 1); not used by a single one
  int num_parts;
  int tiles_n, tiles;
  int first_block;  // parts of a tile are not neighbours: tiles of a part are
  int first_ticket;
};

constexpr int kMaxProducts = kMaxHeads * kMaxHeadLayers;

struct ProductList {
  LayerProduct at[kMaxProducts];
  int count = 0;
  int blocks = 0;
};

__device__ __forceinline__ void write_gradient(const LayerProduct& layer,
                                               const GradientWatch& watch, std::int64_t o,
                                               std::int64_t k, float sum) {
  float* to = k < layer.inputs ? layer.dweight : layer.dbias;
  if (to == nullptr) return;
  to += k < layer.inputs ? o * layer.inputs + k : o;
  *to = sum;
  watch_gradient(watch, to, sum);
}

template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    heads_backward_weights_kernel(ProductList products, GradientWatch watch) {
  using Product = TileProduct<Shape, ByColumns, ColumnsAndOnes>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  GRADFLIP_SHARED(unsigned, last, [1]);
  const auto block = static_cast<int>(blockIdx.x);
  int index = 0;
  while (index + 1 < products.count && block >= products.at[index + 1].first_block) ++index;
  const LayerProduct& layer = products.at[index];
  const int tile = (block - layer.first_block) % layer.tiles;
  const std::int64_t part = (block - layer.first_block) / layer.tiles;
  const std::int64_t o_begin = std::int64_t{tile / layer.tiles_n} * Shape::BM;
  const std::int64_t k_begin = std::int64_t{tile % layer.tiles_n} * Shape::BN;
  const std::int64_t columns = layer.inputs + 1;

  const ByColumns a(layer.dlayer, layer.rows, layer.outputs);
  const ColumnsAndOnes b(layer.x, layer.rows, layer.inputs);
  Product product(shared);
  product.add(a, b, o_begin, k_begin, part * layer.part_rows,
              min((part + 1) * layer.part_rows, layer.rows));
  const bool is_whole = layer.num_parts == 1;
  float* to = layer.parts + part * layer.outputs * columns;
  product.for_each([&](int m, int n, float sum) {
    const std::int64_t o = o_begin + m, k = k_begin + n;
    if (o >= layer.outputs || k >= columns) return;
    if (is_whole) {
      write_gradient(layer, watch, o, k, sum);
    } else {
      to[o * columns + k] = sum;
    }
  });
  if (is_whole) return;
  if (!is_last_block(watch.state->tickets + layer.first_ticket + tile,
                     static_cast<unsigned>(layer.num_parts), last)) {
    return;
  }
#pragma unroll 2
  for (int i = static_cast<int>(threadIdx.x); i < Shape::BM * Shape::BN; i += Shape::kThreads) {
    const std::int64_t o = o_begin + i / Shape::BN, k = k_begin + i % Shape::BN;
    if (o >= layer.outputs || k >= columns) continue;
    const float* from = layer.parts + o * columns + k;
    float sum = 0.0F;
#pragma unroll 4
    for (int p = 0; p < layer.num_parts; ++p) sum += __ldcg(from + p * layer.outputs * columns);
    write_gradient(layer, watch, o, k, sum);
  }
}

template <Math kMath>
using Layer = Tile<kMath, 32, 32, 1, 1, 4>;
constexpr std::int64_t kTile = 32;

// A part's rows: worth a block's while, and whole steps of every warp.
constexpr std::int64_t kFewestRows = 256;
constexpr std::int64_t kRowStep = 64;
constexpr std::int64_t kMostParts = 16;

std::int64_t layer_tiles(const HeadsShape& shape, int head, int layer) {
  return tiles_of(shape.heads[head].widths[layer], kTile) *
         tiles_of(shape.inputs(head, layer) + 1, kTile);
}

// Does not depend on which gradients are wanted, nor on rows.
bool tickets_suffice(const HeadsShape& shape) {
  std::int64_t tiles = 0;
  for (int head = 0; head < shape.num_heads; ++head) {
    for (int layer = 0; layer < shape.heads[head].num_layers; ++layer) {
      tiles += layer_tiles(shape, head, layer);
    }
  }
  return tiles <= kMaxTickets;
}

// Grows with rows.
std::int64_t most_parts(const HeadsShape& shape, std::int64_t rows) {
  if (!tickets_suffice(shape)) return 1;
  return std::clamp(tiles_of(rows, kFewestRows), std::int64_t{1}, kMostParts);
}

std::int64_t part_floats(const HeadsShape& shape, int head, int layer) {
  return shape.heads[head].widths[layer] * (shape.inputs(head, layer) + 1);
}

// The layers of which a gradient is wanted.
ProductList products_of(const HeadsShape& shape, const float* features,
                        std::span<const HeadTensors> heads, float* workspace) {
  ProductList list;
  int ticket = 0;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& sizes = shape.heads[h];
    const HeadTensors& head = heads[static_cast<std::size_t>(h)];
    const std::int64_t part_rows =
        round_up(tiles_of(sizes.rows, most_parts(shape, sizes.rows)), kRowStep);
    const std::int64_t parts = sizes.rows == 0 ? 1 : tiles_of(sizes.rows, part_rows);
    for (int l = 0; l < sizes.num_layers; ++l) {
      if (head.dweights[l] == nullptr && head.dbiases[l] == nullptr) continue;
      LayerProduct& product = list.at[list.count++];
      product = {.dlayer = head.dlayers[l],
                 .x = l == 0 ? features + sizes.row_begin * shape.features : head.hidden[l - 1],
                 .dweight = head.dweights[l],
                 .dbias = head.dbiases[l],
                 .rows = sizes.rows,
                 .outputs = sizes.widths[l],
                 .inputs = shape.inputs(h, l),
                 .part_rows = part_rows,
                 .parts = workspace,
                 .num_parts = static_cast<int>(parts),
                 .tiles_n = static_cast<int>(tiles_of(shape.inputs(h, l) + 1, kTile)),
                 .tiles = static_cast<int>(layer_tiles(shape, h, l)),
                 .first_block = list.blocks,
                 .first_ticket = ticket};
      list.blocks += product.tiles * product.num_parts;
      if (parts == 1) continue;
      ticket += product.tiles;
      workspace += parts * part_floats(shape, h, l);
    }
  }
  return list;
}

}  // namespace

std::int64_t heads_backward_weights_workspace_bytes(Cuda /*ctx*/, const HeadsShape& shape) {
  require_valid(shape);
  std::int64_t floats = 0;
  for (int head = 0; head < shape.num_heads; ++head) {
    const std::int64_t parts = most_parts(shape, shape.heads[head].rows);
    if (parts == 1) continue;
    for (int layer = 0; layer < shape.heads[head].num_layers; ++layer) {
      floats += parts * part_floats(shape, head, layer);
    }
  }
  return floats * static_cast<std::int64_t>(sizeof(float));
}

void heads_backward_data(Cuda ctx, const HeadsShape& shape, std::span<const HeadTensors> heads,
                         float* dfeatures) {
  const auto terms = heads_input_terms(shape, heads);
  gemm_terms(ctx, shape.rows, shape.features, std::span(terms.data(), heads.size()), shape.math,
             dfeatures);
}

void heads_backward_weights(Cuda ctx, const HeadsShape& shape, const float* features,
                            std::span<const HeadTensors> heads, void* workspace,
                            const GradientWatch& watch) {
  require_valid(shape);
  GRADFLIP_REQUIRE(watch.state != nullptr, "heads_backward_weights: no tickets");
  const ProductList products = products_of(shape, features, heads, static_cast<float*>(workspace));
  if (products.count == 0) return;
  with_math(shape.math, [&]<Math kMath>() {
    using Shape = Layer<kMath>;
    static_assert(Shape::BM == kTile && Shape::BN == kTile);
    static_assert(kRowStep % (Shape::BK * Shape::kSlices) == 0);
    launch(heads_backward_weights_kernel<Shape>, dim3(static_cast<unsigned>(products.blocks)),
           dim3(Shape::kThreads), 0, ctx, products, watch);
  });
}

}  // namespace gradflip
