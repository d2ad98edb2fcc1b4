// Named parameters and the flat blocks that hold them. A Parameters object is the list, without
// memory: layers add to it while a graph is built. ParameterBlocks is the memory: weights,
// gradients and velocities as three flat arrays with one layout, so that an update is one launch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/context.h"
#include "runtime/memory.h"
#include "runtime/shape.h"

namespace gradflip {

// How a parameter lies in a file, which holds PyTorch's conventions: the kernel's array, seen as
// `extents`, with its axes permuted so that file axis i is kernel axis order[i], then named
// `shape`.
struct FileLayout {
  Shape extents;
  std::array<int, Shape::kMaxRank> order{0, 1, 2, 3};
  Shape shape;

  // A parameter that lies in a file as it does in memory.
  static FileLayout same(const Shape& shape) { return {shape, {0, 1, 2, 3}, shape}; }
};

struct Parameter {
  std::string name;  // "feature_extractor.conv1.weight": the part comes first
  Shape shape;       // as kernels read it
  FileLayout file;
  float bound = 0.0F;       // initial values are uniform in [-bound, bound)
  std::int64_t offset = 0;  // of its first element in the flat blocks
};

class Parameters {
 public:
  // Adds a parameter at the end of the flat layout, at a multiple of 16 elements. Returns its
  // index. Throws std::invalid_argument for a name that is taken or a file layout of another size.
  std::int32_t add(std::string name, const Shape& shape, const FileLayout& file, float bound);

  const std::vector<Parameter>& list() const { return list_; }
  const Parameter& operator[](std::int32_t index) const {
    return list_[static_cast<std::size_t>(index)];
  }
  // Elements of a flat block, gaps included; gaps hold zeros.
  std::int64_t flat_size() const { return flat_size_; }
  // Elements of all parameters, gaps excluded.
  std::int64_t size() const;
  // The parameter that owns this element of a flat block, or -1 in a gap.
  std::int32_t at_offset(std::int64_t element) const;

  // The smallest range of the flat blocks that holds every parameter whose name starts with `part`
  // and a dot. They are neighbours if they were added together; throws std::invalid_argument if
  // others lie between, or there is none.
  struct Range {
    std::int64_t begin = 0, end = 0;
  };
  Range range(const std::string& part) const;

 private:
  std::vector<Parameter> list_;
  std::int64_t flat_size_ = 0;
};

struct ParameterBlocks {
  ParameterBlocks(const Context& context, const Parameters& parameters);

  Buffer weights, gradients, velocity;  // flat_size floats each, zero at first
};

// Fills the weights with each parameter's initial values: uniform in [-bound, bound) from (seed,
// parameter index, element in the FILE's order), so that the same seed gives the same network
// whatever layout kernels prefer.
void initialize(const Context& context, const Parameters& parameters, std::uint64_t seed,
                const Buffer& weights);

// One parameter between the flat block (host copy) and the file's order; `file` has shape.size()
// elements.
void to_file_order(const Parameter& parameter, const float* flat, float* file);
void from_file_order(const Parameter& parameter, const float* file, float* flat);

}  // namespace gradflip
