#include "kernels/record.h"

#include "kernels/require.h"

namespace gradflip {

void require_valid_record(std::size_t scalars, std::int64_t capacity) {
  GRADFLIP_REQUIRE(scalars <= kMaxRecordedScalars,
                   message("record: ", scalars, " scalars, must be at most ", kMaxRecordedScalars));
  GRADFLIP_REQUIRE(capacity > 0, message("record: capacity is ", capacity, ", must be > 0"));
}

void record_scalars(Cpu /*ctx*/, std::span<const float* const> scalars, const std::int64_t* step,
                    std::int64_t capacity, float* ring) {
  require_valid_record(scalars.size(), capacity);
  if (scalars.empty()) return;
  float* row = ring + *step % capacity * static_cast<std::int64_t>(scalars.size());
  for (const float* scalar : scalars) *row++ = *scalar;
}

}  // namespace gradflip
