// How a batch is cut. On the CPU a shard is what one thread takes through the whole graph; its size
// never depends on the number of threads, so neither does any sum. Within a shard, micro-batches
// keep the activations in a core's cache; their contributions to a sum are added in order into the
// shard's own total. A GPU takes the batch whole: its kernels share the work out themselves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>

#include "kernels/context.h"
#include "runtime/op.h"

namespace gradflip {

struct BatchCut {
  std::int64_t micro_batch_images = 0;  // 0: whole batches
  std::int64_t max_shards = 1;

  bool whole() const { return micro_batch_images == 0; }
};

// The largest pieces and the most shards. 32 images of the paper's network take 1 ms or so, a
// hundred times the cost of a barrier, and 2 MiB of activations. On 2 cores of an AMD EPYC (Zen 5),
// 2026-11-23, a DANN in f32 at batch 128 and 512 makes 29,000 and 29,300 images/s with shards of
// 16, 29,400 and 29,300 with 32, 29,800 and 30,400 with 64 (step_bench, medians of three): larger
// ones gain less than they would cost where there are more than two cores. Each shard holds its own
// copy of every weight gradient; more shards than 16 cost more memory traffic than they bring cores
// into play.
inline constexpr BatchCut kCpuCut{32, 16};

constexpr BatchCut batch_cut(Cpu /*ctx*/) { return kCpuCut; }
constexpr BatchCut batch_cut(Cuda /*ctx*/) { return {}; }
// Whatever the graph: whether batches are cut at all.
inline BatchCut batch_cut(const Context& context) {
  return std::visit([](auto ctx) { return batch_cut(ctx); }, context);
}

// What a step costs in memory, a function of the graph and its largest batch alone.
struct BatchCost {
  std::int64_t rows = 0;
  std::int64_t row_bytes = 0;     // in use at once of what nodes make, for each of the rows
  std::int64_t weight_bytes = 0;  // of all parameters in the graph
  std::int64_t sums_bytes = 0;    // of one shard's block of sums
};

// A piece has as many rows as fit a core's cache, and where a row alone does not, as many as make
// the activations that pass through the core outweigh the weights that do: a row at a time, a
// network that ends in large linear layers would spend its time on reading them.
inline constexpr std::int64_t kPieceBytes = std::int64_t{2} << 20U;
// Shards are halved while their blocks of sums take more than this, and more than a quarter of what
// the batch takes; but not below two: a second core is worth a copy of the gradients.
inline constexpr std::int64_t kMostSumsBytes = std::int64_t{256} << 20U;

inline BatchCut batch_cut(const Context& context, const BatchCost& cost) {
  BatchCut cut = batch_cut(context);
  if (cut.whole()) return cut;
  if (cost.row_bytes > 0) {
    const std::int64_t rows = std::max(kPieceBytes, cost.weight_bytes) / cost.row_bytes;
    cut.micro_batch_images = std::clamp<std::int64_t>(rows, 1, cut.micro_batch_images);
  }
  const std::int64_t most = std::max(kMostSumsBytes, cost.rows * cost.row_bytes / 4);
  while (cut.max_shards > 2 && cut.max_shards * cost.sums_bytes > most) cut.max_shards /= 2;
  return cut;
}

struct Sharding {
  std::int64_t shards = 1;
  std::int64_t micro_batches = 1;  // per shard

  std::int64_t pieces() const { return shards * micro_batches; }
};

inline Sharding sharding_of(std::int64_t images, const BatchCut& cut) {
  if (cut.whole()) return {};
  const std::int64_t wanted =
      std::max<std::int64_t>(1, (images + cut.micro_batch_images - 1) / cut.micro_batch_images);
  Sharding sharding;
  sharding.shards = std::min(wanted, cut.max_shards);
  sharding.micro_batches = (wanted + sharding.shards - 1) / sharding.shards;
  return sharding;
}

// The rows of a segment that piece `piece` of `pieces` holds.
inline SegmentRange piece_of(std::int64_t rows, std::int64_t piece, std::int64_t pieces) {
  const std::int64_t begin = rows * piece / pieces;
  return {begin, rows * (piece + 1) / pieces - begin, rows};
}

// Rows that any piece of any batch can hold of a value with `segments` > 0 segments, which has at
// most `rows`: every segment is cut on its own and may round up, but not all of them as far as to
// make one more.
inline std::int64_t piece_capacity(std::int64_t rows, std::int64_t segments, const BatchCut& cut) {
  return cut.whole() ? rows : std::min(rows, cut.micro_batch_images + segments - 1);
}

}  // namespace gradflip
