// How a batch is cut. On the CPU a shard is what one thread takes through the whole graph; its size
// never depends on the number of threads, so neither does any sum. Within a shard, micro-batches
// keep the activations in a core's cache; their contributions to a sum are added in order into the
// shard's own total. A GPU takes the batch whole: its kernels share the work out themselves.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/context.h"
#include "runtime/op.h"

namespace gradflip {

struct BatchCut {
  std::int64_t micro_batch_images = 0;  // 0: whole batches
  std::int64_t max_shards = 1;

  bool whole() const { return micro_batch_images == 0; }
};

// 32 images of the paper's network take 1 ms or so, a hundred times the cost of a barrier, and 2
// MiB of activations. On 2 cores of an AMD EPYC (Zen 5), 2026-11-23, a DANN in f32 at batch 128 and
// 512 makes 29,000 and 29,300 images/s with shards of 16, 29,400 and 29,300 with 32, 29,800 and
// 30,400 with 64 (step_bench, medians of three): larger ones gain less than they would cost where
// there are more than two cores. Each shard holds its own copy of every weight gradient; more
// shards than 16 cost more memory traffic than they bring cores into play.
inline constexpr BatchCut kCpuCut{32, 16};

constexpr BatchCut batch_cut(Cpu /*ctx*/) { return kCpuCut; }
constexpr BatchCut batch_cut(Cuda /*ctx*/) { return {}; }
inline BatchCut batch_cut(const Context& context) {
  return std::visit([](auto ctx) { return batch_cut(ctx); }, context);
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

// Rows that any piece of any batch of at most `rows` over `segments` segments can hold: every
// segment is cut on its own and rounds up.
inline std::int64_t piece_capacity(std::int64_t rows, std::int64_t segments, const BatchCut& cut) {
  return cut.whole() ? rows : std::min(rows, cut.micro_batch_images + segments);
}

}  // namespace gradflip
