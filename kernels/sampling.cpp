#include "kernels/sampling.h"

#include "kernels/epoch_order.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

void require_valid(const Sampler& sampler) {
  GRADFLIP_REQUIRE(sampler.size > 0,
                   message("sampling: the data set has ", sampler.size, " pictures, must be > 0"));
}

}  // namespace

void require_valid(const Sampler& sampler, std::int64_t row_begin, std::int64_t count) {
  require_valid(sampler);
  GRADFLIP_REQUIRE(sampler.batch > 0 && row_begin >= 0 && count >= 0,
                   message("sampling: batch is ", sampler.batch, " (> 0), row_begin ", row_begin,
                           " (>= 0), count ", count, " (>= 0)"));
}

std::int64_t sample_index(const Sampler& sampler, std::int64_t position) {
  require_valid(sampler);
  GRADFLIP_REQUIRE(position >= 0, message("sampling: position is ", position, ", must be >= 0"));
  return sample_at(sampler, position);
}

void sample_indices(Cpu /*ctx*/, const Sampler& sampler, const std::int64_t* step,
                    std::int64_t row_begin, std::int64_t count, std::int64_t* indices) {
  require_valid(sampler, row_begin, count);
  const std::int64_t first = *step * sampler.batch + row_begin;
  for (std::int64_t i = 0; i < count; ++i) indices[i] = sample_index(sampler, first + i);
}

}  // namespace gradflip
