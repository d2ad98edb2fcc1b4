// One launch of one thread. The scalars' addresses travel as arguments of the kernel, by value, as
// a captured launch needs them; all loads are under way before the first store waits for one.
#include <algorithm>

#include "kernels/cuda/simt.h"
#include "kernels/record.h"

namespace gradflip {
namespace {

struct Scalars {
  unsigned count;
  const float* at[kMaxRecordedScalars];
};

__global__ void record_scalars_kernel(Scalars scalars, const std::int64_t* step,
                                      std::int64_t capacity, float* ring) {
  // Every index is a constant once unrolled: arguments indexed at run time would be copied to local
  // memory first.
  float values[kMaxRecordedScalars];
#pragma unroll
  for (unsigned i = 0; i < kMaxRecordedScalars; ++i) {
    if (i < scalars.count) values[i] = *scalars.at[i];
  }
  float* row = ring + *step % capacity * scalars.count;
#pragma unroll
  for (unsigned i = 0; i < kMaxRecordedScalars; ++i) {
    if (i < scalars.count) row[i] = values[i];
  }
}

}  // namespace

void record_scalars(Cuda ctx, std::span<const float* const> scalars, const std::int64_t* step,
                    std::int64_t capacity, float* ring) {
  require_valid_record(scalars.size(), capacity);
  if (scalars.empty()) return;
  Scalars arguments{.count = static_cast<unsigned>(scalars.size()), .at = {}};
  std::copy(scalars.begin(), scalars.end(), arguments.at);
  launch(record_scalars_kernel, 1, 1, 0, ctx, arguments, step, capacity, ring);
}

}  // namespace gradflip
