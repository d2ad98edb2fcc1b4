// From a draft to the graph that runs: losses weighed, fused, differentiated, guarded, updated and
// recorded, in the one order in which these go together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/draft.h"
#include "runtime/ops/average.h"
#include "runtime/parameters.h"

namespace gradflip {

// What Compiled::quantities calls the gradient.
inline constexpr const char* kGradientQuantity = "gradient";

struct CompileOptions {
  bool fuse = true;  // false: the reference that fusion is tested against
  // Fuse further, for a context that takes batches whole (sharding.h), such as a GPU.
  bool whole_batch = false;
  std::int64_t record_capacity = 0;  // steps whose reports are kept; 0: none
  bool advance = true;               // the step counter, when all is done
  // What FiniteGuard::quantity counts of this draft: its terms and its gradient, from here on.
  std::int32_t first_quantity = 0;
};

// Where a report stands in the records.
struct Column {
  std::string name;
  std::size_t ring = 0, place = 0;
  Rows per;           // what stands there is to be divided by these segments' rows; none: as it is
  bool last = false;  // as in Report
};

struct Compiled {
  Graph graph;
  // By the draft's value: what it is now; none() where fusion absorbed it. External values always
  // are.
  std::vector<Value> now;

  // External values beside the draft's: of the update, none() without an objective; the averages;
  // and the rings of records, f32 (record_capacity, columns of that ring).
  ops::UpdateValues update;
  std::vector<ops::AverageValues> averages;
  Value running_weights;  // where running statistics lie; none() without any
  std::vector<Value> rings;

  std::vector<Column> columns;  // in the order of the reports
  // What FiniteGuard::quantity counts, from first_quantity on: the terms' names, then
  // kGradientQuantity.
  std::vector<std::string> quantities;

  Value operator()(Value old) const { return now[static_cast<std::size_t>(old.id)]; }
};

// Throws std::invalid_argument where the draft does not fit together: a parameter of the group that
// the graph does not use, or that no term depends on; a report that is no number.
Compiled compile(const Draft& draft, const Parameters& parameters, const CompileOptions& options);

}  // namespace gradflip
