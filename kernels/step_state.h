// What the kernels of a fused training step leave each other in the context's memory beside
// tensors. A value-initialised StepState is the start of a run; no step needs to reset it.
#pragma once

#include <cstdint>

namespace gradflip {

inline constexpr int kMaxTickets = 1024;

struct StepState {
  // The least flat index of a gradient that was not finite when it was written; kAllFinite while
  // there was none. A minimum, so that it does not depend on the order of blocks.
  static constexpr std::uint64_t kAllFinite = ~std::uint64_t{0};
  std::uint64_t first_non_finite = kAllFinite;
  // Blocks of a group that have finished, for kernels whose last block completes the group's work.
  // Every launch leaves zeros behind.
  std::uint32_t tickets[kMaxTickets] = {};
};

// Where a kernel that writes gradients reports those that are not finite: each index counts from
// `gradients`, the start of the flat block that the gradient lies in. state null: nowhere.
struct GradientWatch {
  StepState* state = nullptr;
  const float* gradients = nullptr;
};

}  // namespace gradflip
