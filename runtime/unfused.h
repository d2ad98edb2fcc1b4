// What the rewrites of fusion.h left as it was, and why: the limits of few launches, for people.
#pragma once

#include <string>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

struct Unfused {
  std::string what;  // "conv2d feature_extractor.conv1"
  std::string why;   // "the pool's windows overlap (3x3, stride 2)"
};

// Of a graph after all its rewrites (compile.h): each group of nodes that has the shape of what
// some rewrite takes and was not taken. The reason is the first that this rewrite's own condition
// finds; once it is mended there may be another. whole_batch: as in CompileOptions; without, only
// those rewrites count that are for every context.
std::vector<Unfused> unfused(const Graph& compiled, bool whole_batch);

}  // namespace gradflip
