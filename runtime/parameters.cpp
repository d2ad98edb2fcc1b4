#include "runtime/parameters.h"

#include <algorithm>

#include "kernels/require.h"
#include "runtime/random.h"

namespace gradflip {
namespace {

constexpr std::int64_t kAlignElements = 16;  // one cache line of floats

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

}  // namespace

std::int32_t Parameters::add(std::string name, const Shape& shape, const FileLayout& file,
                             float bound) {
  GRADFLIP_REQUIRE(std::none_of(list_.begin(), list_.end(),
                                [&](const Parameter& other) { return other.name == name; }),
                   message("parameters: the name ", name, " is taken"));
  GRADFLIP_REQUIRE(file.extents.size() == shape.size() && file.shape.size() == shape.size(),
                   message("parameters: ", name, " has ", shape.size(),
                           " elements, its file layout ", file.shape.size()));
  list_.push_back({std::move(name), shape, file, bound, flat_size_});
  flat_size_ += (shape.size() + kAlignElements - 1) / kAlignElements * kAlignElements;
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

Parameters::Range Parameters::range(const std::string& part) const {
  const auto belongs = [&](const Parameter& parameter) {
    return parameter.name.starts_with(part + ".");
  };
  const auto first = std::find_if(list_.begin(), list_.end(), belongs);
  GRADFLIP_REQUIRE(first != list_.end(), message("parameters: no part is called ", part));
  const auto last = std::find_if(list_.rbegin(), list_.rend(), belongs).base();
  GRADFLIP_REQUIRE(std::all_of(first, last, belongs),
                   message("parameters: other parameters lie between those of ", part));
  return {first->offset, last == list_.end() ? flat_size_ : last->offset};
}

ParameterBlocks::ParameterBlocks(const Context& context, const Parameters& parameters)
    : weights(context, parameters.flat_size() * 4),
      gradients(context, parameters.flat_size() * 4),
      velocity(context, parameters.flat_size() * 4) {}

void initialize(const Context& context, const Parameters& parameters, std::uint64_t seed,
                const Buffer& weights) {
  std::vector<float> flat(static_cast<std::size_t>(parameters.flat_size()), 0.0F);
  std::uint32_t stream = 0;
  for (const Parameter& parameter : parameters.list()) {
    float* values = flat.data() + parameter.offset;
    for_each_element(parameter.file, [&](std::int64_t kernel_element, std::int64_t file_element) {
      values[kernel_element] = uniform(seed, stream, static_cast<std::uint64_t>(file_element),
                                       -parameter.bound, parameter.bound);
    });
    ++stream;
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
