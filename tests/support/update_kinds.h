// Kinds for tests of updates: none of them the same as its neighbour for long, and every kind next
// to every other.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/update_kinds.h"

namespace gradflip {

inline std::vector<UpdateKind> mixed_kinds(std::int64_t size) {
  constexpr UpdateKind kNone = UpdateKind::kNone, kWithout = UpdateKind::kWithoutDecay,
                       kWith = UpdateKind::kWithDecay;
  constexpr UpdateKind kCycle[] = {kWith, kNone,    kWithout, kWithout, kNone,
                                   kNone, kWithout, kWith,    kWith};
  std::vector<UpdateKind> kinds;
  for (std::int64_t run = 0; run < update_runs(size); ++run) {
    kinds.push_back(kCycle[static_cast<std::size_t>(run) % std::size(kCycle)]);
  }
  return kinds;
}

// The part of `values` whose kind is this one, in order.
template <typename T>
std::vector<T> of_kind(UpdateKind kind, const std::vector<UpdateKind>& kinds,
                       const std::vector<T>& values) {
  std::vector<T> part;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (kinds.at(i / kUpdateRun) == kind) part.push_back(values[i]);
  }
  return part;
}

}  // namespace gradflip
