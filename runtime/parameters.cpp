#include "runtime/parameters.h"

#include <algorithm>

#include "kernels/require.h"
#include "kernels/step_state.h"
#include "kernels/update_kinds.h"
#include "runtime/random.h"

namespace gradflip {
namespace {

// Calls visit(kernel_element, file_element) for every element of a parameter.
template <typename Visit>
void for_each_element(const FileLayout& layout, Visit&& visit) {
  std::array<std::int64_t, Shape::kMaxRank> extent{1, 1, 1, 1}, kernel_stride{0, 0, 0, 0};
  const int rank = layout.extents.rank();
  std::array<std::int64_t, Shape::kMaxRank> stride{};
  std::int64_t size = 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    stride[static_cast<std::size_t>(axis)] = size;
    size *= layout.extents[axis];
  }
  for (int axis = 0; axis < rank; ++axis) {
    const auto from = static_cast<std::size_t>(layout.order[static_cast<std::size_t>(axis)]);
    extent[static_cast<std::size_t>(axis)] = layout.extents[static_cast<int>(from)];
    kernel_stride[static_cast<std::size_t>(axis)] = stride[from];
  }
  std::int64_t file_element = 0;
  for (std::int64_t i = 0; i < extent[0]; ++i)
    for (std::int64_t j = 0; j < extent[1]; ++j)
      for (std::int64_t k = 0; k < extent[2]; ++k)
        for (std::int64_t l = 0; l < extent[3]; ++l)
          visit(i * kernel_stride[0] + j * kernel_stride[1] + k * kernel_stride[2] +
                    l * kernel_stride[3],
                file_element++);
}

// The initial value at an element of the file's order.
float initial_value(const Initialiser& initialiser, std::uint64_t seed, std::uint32_t stream,
                    std::int64_t element) {
  const auto index = static_cast<std::uint64_t>(element);
  if (const auto* range = std::get_if<Uniform>(&initialiser)) {
    return uniform(seed, stream, index, -range->bound, range->bound);
  }
  if (const auto* bell = std::get_if<Normal>(&initialiser)) {
    return normal(seed, stream, index, bell->deviation);
  }
  if (const auto* cut = std::get_if<TruncatedNormal>(&initialiser)) {
    return truncated_normal(seed, stream, index, cut->deviation);
  }
  return std::get<Constant>(initialiser).value;
}

}  // namespace

std::int32_t Parameters::add(std::string name, const Shape& shape, const FileLayout& file,
                             const Initialiser& initialiser, bool trained) {
  GRADFLIP_REQUIRE(!frozen_, message("parameters: ", name,
                                     " comes after the memory for parameters was allocated; "
                                     "declare all parameters before the blocks are made"));
  const std::uint32_t stream = stream_of(name);
  for (const Parameter& other : list_) {
    GRADFLIP_REQUIRE(other.name == name || stream_of(other.name) != stream,
                     message("parameters: ", name, " would begin with the numbers of ", other.name,
                             "; give it another name"));
  }
  GRADFLIP_REQUIRE(std::none_of(list_.begin(), list_.end(),
                                [&](const Parameter& other) { return other.name == name; }),
                   message("parameters: the name ", name, " is taken"));
  GRADFLIP_REQUIRE(file.extents.size() == shape.size() && file.shape.size() == shape.size(),
                   message("parameters: ", name, " has ", shape.size(),
                           " elements, its file layout ", file.shape.size()));
  list_.push_back({std::move(name), shape, file, initialiser, trained, flat_size_});
  flat_size_ += update_runs(shape.size()) * kUpdateRun;
  return static_cast<std::int32_t>(list_.size()) - 1;
}

std::int64_t Parameters::size() const {
  std::int64_t size = 0;
  for (const Parameter& parameter : list_) size += parameter.shape.size();
  return size;
}

std::int32_t Parameters::at_offset(std::int64_t element) const {
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const std::int64_t within = element - list_[i].offset;
    if (within >= 0 && within < list_[i].shape.size()) return static_cast<std::int32_t>(i);
  }
  return -1;
}

ParameterBlocks::ParameterBlocks(const Context& context, Parameters& parameters, int banks)
    : weights(context, parameters.flat_size() * 4),
      gradients(context, parameters.flat_size() * 4),
      notes(context, sizeof(StepState)) {
  GRADFLIP_REQUIRE(banks >= 1, message("parameters: ", banks, " banks; bank 0 are the weights"));
  parameters.freeze();
  for (int index = 1; index < banks; ++index) copies.emplace_back(context, weights.bytes());
  const StepState start;
  copy_from_host(context, notes.data(), &start, sizeof(start));
}

const Buffer& ParameterBlocks::bank(int index) const {
  GRADFLIP_REQUIRE(index >= 0 && index < num_banks(),
                   message("parameters: bank ", index, " of ", num_banks()));
  return index == 0 ? weights : copies[static_cast<std::size_t>(index) - 1];
}

void initialize(const Context& context, const Parameters& parameters, std::uint64_t seed,
                const Buffer& weights) {
  std::vector<float> flat(static_cast<std::size_t>(parameters.flat_size()), 0.0F);
  for (const Parameter& parameter : parameters.list()) {
    float* values = flat.data() + parameter.offset;
    const std::uint32_t stream = stream_of(parameter.name);
    for_each_element(parameter.file, [&](std::int64_t kernel_element, std::int64_t file_element) {
      values[kernel_element] = initial_value(parameter.initialiser, seed, stream, file_element);
    });
  }
  copy_from_host(context, weights.data(), flat.data(), weights.bytes());
}

void to_file_order(const Parameter& parameter, const float* flat, float* file) {
  const float* values = flat + parameter.offset;
  for_each_element(parameter.file, [&](std::int64_t kernel_element, std::int64_t file_element) {
    file[file_element] = values[kernel_element];
  });
}

void from_file_order(const Parameter& parameter, const float* file, float* flat) {
  float* values = flat + parameter.offset;
  for_each_element(parameter.file, [&](std::int64_t kernel_element, std::int64_t file_element) {
    values[kernel_element] = file[file_element];
  });
}

}  // namespace gradflip
