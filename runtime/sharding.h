// How a batch is cut. A shard is what one thread takes through the whole graph; its size never
// depends on the number of threads, so neither does any sum. Within a shard, micro-batches keep the
// activations in a core's cache; their contributions to a sum are added in order into the shard's
// own total.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/op.h"

namespace gradflip {

// 32 images of the paper's network take 1 ms or so, a hundred times the cost of a barrier, and 2
// MiB of activations.
inline constexpr std::int64_t kMicroBatchImages = 32;
// Each shard holds its own copy of every weight gradient; more shards than this cost more memory
// traffic than they bring cores into play.
inline constexpr std::int64_t kMaxShards = 16;

struct Sharding {
  std::int64_t shards = 1;
  std::int64_t micro_batches = 1;  // per shard

  std::int64_t pieces() const { return shards * micro_batches; }
};

inline Sharding sharding_of(std::int64_t images) {
  const std::int64_t wanted =
      std::max<std::int64_t>(1, (images + kMicroBatchImages - 1) / kMicroBatchImages);
  Sharding sharding;
  sharding.shards = std::min(wanted, kMaxShards);
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
inline std::int64_t piece_capacity(std::int64_t rows, std::int64_t segments) {
  return std::min(rows, kMicroBatchImages + segments);
}

}  // namespace gradflip
