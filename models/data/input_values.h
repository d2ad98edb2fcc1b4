// A network's input in a graph: where stored samples become what the first layer reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/context.h"
#include "models/augmentation.h"
#include "models/data/network_input.h"
#include "runtime/graph.h"
#include "runtime/memory.h"
#include "runtime/program.h"

namespace gradflip {

// External values that InputMemory binds.
struct InputValues {
  struct OfDomain {
    Value means, scales;  // f32 (C)
  };
  // None where the input is rows, one where the domains' pictures enter alike, else the source's
  // and the target's.
  std::vector<OfDomain> domains;

  const OfDomain& of(int domain) const {
    return domains[domains.size() > 1 ? static_cast<std::size_t>(domain) : 0];
  }
};

InputValues declare_input(Graph& graph, const NetworkInput& input);

// Samples that one segment takes of a data set.
struct InputSource {
  Value data;      // external, of DatasetShape::type()
  Value indices;   // i64 rows of the segment
  int domain = 0;  // that they are of
};

// -> f32 rows x input.sample, the rows of all sources in ascending segments.
Value gather_input(Graph& graph, const NetworkInput& input, const InputValues& values,
                   std::span<const InputSource> sources);

// What changes pictures on their way into a step.
struct InputAugmentation {
  Value step;  // i64 scalar: the counter
  std::uint64_t seed = 0;
  int view = 0;                         // of the same rows
  std::vector<Augmentation> of_source;  // one for each source
};

// The same for changed pictures; throws std::invalid_argument where the input is rows.
Value augmented_input(Graph& graph, const NetworkInput& input, const InputValues& values,
                      std::span<const InputSource> sources, const InputAugmentation& augmentation);

// The means and scales in a context's memory. Must outlive the programs that it is bound to.
class InputMemory {
 public:
  InputMemory(const Context& context, const NetworkInput& input);

  void bind(Program& program, const InputValues& values) const;

 private:
  struct OfDomain {
    Buffer means, scales;
  };
  std::vector<OfDomain> domains_;
};

}  // namespace gradflip
