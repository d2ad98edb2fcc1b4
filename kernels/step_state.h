// What the kernels of a fused training step leave each other in the context's memory beside
// tensors. A value-initialised StepState is the start of a run; no step needs to reset it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gradflip {

inline constexpr int kMaxTickets = 1024;

struct StepState {
  // The least flat index of a gradient that was not finite when it was written; kAllFinite while
  // there was none. A minimum, so that it does not depend on the order of blocks. Whoever acts on
  // it puts kAllFinite back.
  static constexpr std::uint64_t kAllFinite = ~std::uint64_t{0};
  std::uint64_t first_non_finite = kAllFinite;
  // Blocks of a group that have finished, for kernels whose last block completes the group's work.
  // Every launch leaves zeros behind.
  std::uint32_t tickets[kMaxTickets] = {};
};

// What a kernel that writes gradients may use of it: tickets, and where it reports gradients that
// are not finite. Their indices count from `gradients`, the start of the flat block that all
// gradients of the step lie in. state null: nothing is reported, and there are no tickets.
struct GradientWatch {
  StepState* state = nullptr;
  const float* gradients = nullptr;
  // What completes the step's gradients reports them all: none is looked at again.
  bool complete = false;
};

// On the host: reports the first of size gradients that is not finite.
inline void watch_gradients(const GradientWatch& watch, std::int64_t size, const float* gradients) {
  if (watch.state == nullptr) return;
  const float* end = gradients + size;
  const float* first = std::find_if_not(gradients, end, [](float g) { return std::isfinite(g); });
  if (first == end) return;
  const auto index = static_cast<std::uint64_t>(first - watch.gradients);
  watch.state->first_non_finite = std::min(watch.state->first_non_finite, index);
}

}  // namespace gradflip
