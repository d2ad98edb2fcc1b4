// Which elements of a flat block of weights an update changes, and how: one kind for each run of
// kUpdateRun elements, the alignment of parameters (runtime/parameters.h), so that a run belongs to
// one of them and an update of some stays one launch.
//
// Kernels take kinds as a pointer to ceil(size / kUpdateRun) of them, in the context's memory; null
// stands for kWithDecay everywhere.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gradflip {

enum class UpdateKind : std::uint8_t {
  kNone,          // not read, not written: not trained, or not by this update
  kWithoutDecay,  // as if weight decay were 0; most often biases and scales of a normalisation
  kWithDecay,
};

inline constexpr std::int64_t kUpdateRun = 16;  // one cache line of floats

constexpr std::int64_t update_runs(std::int64_t size) {
  return (size + kUpdateRun - 1) / kUpdateRun;
}

// On the host: calls visit(begin, end, kind) for every longest stretch of one kind that is not
// kNone, in order.
template <typename Visit>
void for_each_stretch(std::int64_t size, const UpdateKind* kinds, const Visit& visit) {
  if (kinds == nullptr) {
    if (size > 0) visit(std::int64_t{0}, size, UpdateKind::kWithDecay);
    return;
  }
  const std::int64_t runs = update_runs(size);
  for (std::int64_t first = 0; first < runs;) {
    const UpdateKind kind = kinds[first];
    const std::int64_t last = std::find_if(kinds + first, kinds + runs,
                                           [kind](UpdateKind other) { return other != kind; }) -
                              kinds;
    if (kind != UpdateKind::kNone) {
      visit(first * kUpdateRun, std::min(last * kUpdateRun, size), kind);
    }
    first = last;
  }
}

}  // namespace gradflip
