#include "models/data/input_values.h"

#include <vector>

#include "kernels/require.h"
#include "runtime/ops/augment.h"
#include "runtime/ops/gather.h"

namespace gradflip {
namespace {

Buffer in_context(const Context& context, const std::vector<float>& values) {
  Buffer buffer(context, static_cast<std::int64_t>(values.size() * sizeof(float)));
  copy_from_host(context, buffer.data(), values.data(), buffer.bytes());
  return buffer;
}

}  // namespace

InputValues declare_input(Graph& graph, const NetworkInput& input) {
  if (input.dtype != Dtype::kU8) return {};
  const ValueType channels{Dtype::kF32, {input.sample[2]}, {}};
  return {graph.external("channel means", channels), graph.external("channel scales", channels)};
}

Value gather_input(Graph& graph, const NetworkInput& input, const InputValues& values,
                   std::span<const InputSource> sources) {
  if (input.dtype == Dtype::kU8) {
    std::vector<ops::ImageSource> images;
    for (const InputSource& source : sources) images.push_back({source.data, source.indices});
    return ops::gather_normalize(graph, images, values.means, values.scales);
  }
  std::vector<ops::RowSource> rows;
  for (const InputSource& source : sources) rows.push_back({source.data, source.indices});
  return ops::gather_rows(graph, rows);
}

Value augmented_input(Graph& graph, const NetworkInput& input, const InputValues& values,
                      std::span<const InputSource> sources, const InputAugmentation& augmentation) {
  GRADFLIP_REQUIRE(input.dtype == Dtype::kU8,
                   "only pictures can be augmented, and the samples are rows of numbers");
  GRADFLIP_REQUIRE(sources.size() == augmentation.of_source.size(),
                   message("augmented_input: ", augmentation.of_source.size(),
                           " augmentations for ", sources.size(), " sources"));
  std::vector<ops::AugmentedSource> augmented;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    augmented.push_back(
        {sources[i].data, sources[i].indices, augment_program(augmentation.of_source[i])});
  }
  const Value bytes = ops::augment(graph, augmentation.step, augmented,
                                   {.seed = augmentation.seed,
                                    .view = static_cast<std::uint32_t>(augmentation.view),
                                    .channels = input.sample[2]});
  return ops::normalize(graph, bytes, values.means, values.scales);
}

InputMemory::InputMemory(const Context& context, const NetworkInput& input)
    : means_(in_context(context, input.means)), scales_(in_context(context, input.scales)) {}

void InputMemory::bind(Program& program, const InputValues& values) const {
  if (values.means.none()) return;
  program.bind(values.means, means_.data());
  program.bind(values.scales, scales_.data());
}

}  // namespace gradflip
