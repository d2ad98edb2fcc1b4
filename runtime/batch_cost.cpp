#include "runtime/batch_cost.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace gradflip {

BatchCost batch_cost(const Graph& graph, const std::vector<ShownMemory>& memory,
                     const std::vector<Lifetime>& lifetimes,
                     std::span<const std::int64_t> max_rows) {
  BatchCost cost;
  std::map<std::int32_t, std::int64_t> changes;  // of what is in use, by position
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    const std::int64_t bytes = info.type.shape.size() * bytes_of(info.type.dtype);
    if (info.kind == ValueKind::kParameter) cost.weight_bytes += bytes;
    const auto index = static_cast<std::size_t>(id);
    if (info.kind != ValueKind::kComputed || info.type.rows.none() ||
        !(memory[index].root == Value{id}))
      continue;
    std::int64_t rows = 0;
    for (std::size_t segment = 0; segment < max_rows.size(); ++segment) {
      if (info.type.rows.contains_segment(static_cast<int>(segment))) rows += max_rows[segment];
    }
    changes[lifetimes[index].first] += rows * bytes;
    changes[lifetimes[index].last + 1] -= rows * bytes;
  }
  std::int64_t in_use = 0, most = 0;
  for (const auto& [position, change] : changes) most = std::max(most, in_use += change);
  cost.rows = std::accumulate(max_rows.begin(), max_rows.end(), std::int64_t{0});
  cost.row_bytes = cost.rows == 0 ? 0 : most / cost.rows;
  return cost;
}

}  // namespace gradflip
