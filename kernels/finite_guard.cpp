// The scan runs on every gradient of every step and nearly always finds nothing: whole blocks are
// tested without a branch, and only a block that failed is searched.
#include "kernels/finite_guard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::int64_t kFiniteBlock =
    4096;                            // 16 KiB: a search rereads it from the first-level cache
constexpr std::int64_t kLanes = 16;  // four SSE registers: hides the loop's own instructions

bool all_finite(const float* values, std::int64_t size) {
  // x - x is +0, all bits clear, for every finite x; for an infinity or a NaN it is a NaN.
  const auto difference_bits = [](float x) { return std::bit_cast<std::uint32_t>(x - x); };
  std::array<std::uint32_t, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] |= difference_bits(values[i + lane]);
    }
  }
  for (; i < size; ++i) lanes[0] |= difference_bits(values[i]);
  return std::all_of(lanes.begin(), lanes.end(), [](std::uint32_t bits) { return bits == 0; });
}

}  // namespace

void check_finite(Cpu /*ctx*/, std::int64_t size, const float* values, std::int32_t quantity,
                  const std::int64_t* step, FiniteGuard* guard) {
  GRADFLIP_REQUIRE(size >= 0, message("check_finite: size is ", size, ", must be >= 0"));
  if (guard->frozen != 0) return;
  for (std::int64_t begin = 0; begin < size; begin += kFiniteBlock) {
    const float* block = values + begin;
    const std::int64_t block_size = std::min(kFiniteBlock, size - begin);
    if (all_finite(block, block_size)) continue;
    const float* offender =
        std::find_if(block, block + block_size, [](float value) { return !std::isfinite(value); });
    *guard = {.frozen = 1, .quantity = quantity, .index = offender - values, .step = *step};
    return;
  }
}

void check_reported(Cpu /*ctx*/, StepState* state, std::int32_t quantity, const std::int64_t* step,
                    FiniteGuard* guard) {
  const std::uint64_t index = std::exchange(state->first_non_finite, StepState::kAllFinite);
  if (index == StepState::kAllFinite || guard->frozen != 0) return;
  *guard = {
      .frozen = 1, .quantity = quantity, .index = static_cast<std::int64_t>(index), .step = *step};
}

}  // namespace gradflip
