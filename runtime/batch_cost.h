// What a batch costs in memory, which is what it is cut by (sharding.h): of the graph and the rows
// alone, so that no sum depends on the machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/graph.h"
#include "runtime/lifetimes.h"
#include "runtime/sharding.h"

namespace gradflip {

// All but sums_bytes, for the plan to fill in. lifetimes: by value id, of roots. max_rows: of each
// segment.
BatchCost batch_cost(const Graph& graph, const std::vector<ShownMemory>& memory,
                     const std::vector<Lifetime>& lifetimes,
                     std::span<const std::int64_t> max_rows);

}  // namespace gradflip
