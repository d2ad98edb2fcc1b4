// Which pictures a step takes. The order of an epoch is a keyed bijection of [0, size) evaluated
// where it is needed: no shuffled array is stored, and row r of step t is the same on every backend
// and for every sharding.
//
// Row r of step t stands at position t*batch + r of an endless sequence; position / size is the
// sampler's epoch, and position % size goes through that epoch's bijection (epoch_order.h): a
// Feistel network of Philox rounds over the next even power of two, walked until it falls inside
// [0, size) (cycle walking: Black & Rogaway, CT-RSA 2002).
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct Sampler {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  // domains are sampled independently: one stream each
  std::int64_t size = 0;     // pictures in the data set, > 0
  std::int64_t batch = 0;    // pictures per step
  bool shuffle = true;       // false: position % size itself, for evaluation
};

// Where `position` of the endless sequence lies in the data set. position >= 0. Pure; all backends
// agree on it.
std::int64_t sample_index(const Sampler& sampler, std::int64_t position);

// Throws unless a sampler can serve rows [row_begin, row_begin + count) of a step.
void require_valid(const Sampler& sampler, std::int64_t row_begin, std::int64_t count);

// indices[i] = sample_index(sampler, *step * batch + row_begin + i) for i in [0, count). step is in
// the context's memory and >= 0; overwrites indices; count may be 0.
void sample_indices(Cpu ctx, const Sampler& sampler, const std::int64_t* step,
                    std::int64_t row_begin, std::int64_t count, std::int64_t* indices);
void sample_indices(Cuda ctx, const Sampler& sampler, const std::int64_t* step,
                    std::int64_t row_begin, std::int64_t count, std::int64_t* indices);

}  // namespace gradflip
