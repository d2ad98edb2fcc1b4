// Named parameters and the flat blocks that hold them. A Parameters object is the list, without
// memory: layers add to it while a graph is built. ParameterBlocks is the memory: flat arrays with
// one layout, so that an update of many parameters is one launch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
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

// Where initial values come from: [-bound, bound), a normal distribution around 0, or one number
// for all.
struct Uniform {
  float bound = 0.0F;
};
struct Normal {
  float deviation = 1.0F;
};
// Normal, drawn again where it would be more than two deviations from 0.
struct TruncatedNormal {
  float deviation = 1.0F;
};
struct Constant {
  float value = 0.0F;
};
using Initialiser = std::variant<Uniform, Normal, TruncatedNormal, Constant>;

struct Parameter {
  std::string name;  // "feature_extractor.conv1.weight": the part comes first
  Shape shape;       // as kernels read it
  FileLayout file;
  Initialiser initialiser;
  // False for running statistics and fixed random projections: in blocks and files, without a
  // gradient.
  bool trained = true;
  std::int64_t offset = 0;  // of its first element in the flat blocks
};

class Parameters {
 public:
  // Adds a parameter at the end of the flat layout, at a multiple of kUpdateRun elements
  // (kernels/update_kinds.h). Returns its index. Throws std::invalid_argument for a name that is
  // taken, one with the stream of another (random.h), a file layout of another size, and for any
  // once the list is frozen.
  std::int32_t add(std::string name, const Shape& shape, const FileLayout& file,
                   const Initialiser& initialiser, bool trained = true);

  // From now on nothing can be added: the list has its memory.
  void freeze() { frozen_ = true; }

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

 private:
  std::vector<Parameter> list_;
  std::int64_t flat_size_ = 0;
  bool frozen_ = false;
};

// flat_size floats in each of the flat blocks, zero at first. Bank 0 are the weights; further banks
// are copies of them with the same layout, such as averages, or networks as they were at some time.
struct ParameterBlocks {
  // Freezes the parameters. banks >= 1.
  ParameterBlocks(const Context& context, Parameters& parameters, int banks = 1);

  int num_banks() const { return 1 + static_cast<int>(copies.size()); }
  // Throws std::invalid_argument for a bank that there is not.
  const Buffer& bank(int index) const;

  Buffer weights, gradients;
  std::vector<Buffer> copies;  // banks 1, 2, ...
  // One StepState (kernels/step_state.h) for what writes these gradients, at its start.
  Buffer notes;
};

// Fills the weights with each parameter's initial values, random ones from (seed, stream_of(name),
// element in the FILE's order): the same seed gives the same network whatever layout kernels prefer
// and whatever else is declared, before or after.
void initialize(const Context& context, const Parameters& parameters, std::uint64_t seed,
                const Buffer& weights);

// One parameter between the flat block (host copy) and the file's order; `file` has shape.size()
// elements.
void to_file_order(const Parameter& parameter, const float* flat, float* file);
void from_file_order(const Parameter& parameter, const float* file, float* flat);

}  // namespace gradflip
