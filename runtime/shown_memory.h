// Whose memory a value shows: its own, or that of the value of which it is a view.
#pragma once

#include <utility>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

struct ShownMemory {
  Value root;  // the value itself where it is no view
  Rows rows;   // which segments of the root's it shows
};

// By value id. A view has its input's rows or some segments of them; one that has others reads the
// rows of the one segment that it shows as those of another.
std::vector<ShownMemory> shown_memory(const Graph& graph);

// Segments that a view reads as those of another, which then need equal numbers of rows.
std::vector<std::pair<int, int>> partner_segments(const Graph& graph);

}  // namespace gradflip
