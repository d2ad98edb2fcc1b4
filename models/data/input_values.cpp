#include "models/data/input_values.h"

#include <vector>

#include "kernels/require.h"
#include "runtime/ops/augment.h"
#include "runtime/ops/concat_rows.h"
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
  InputValues values;
  for (int domain = 0; domain < (input.differs() ? 2 : 1); ++domain) {
    values.domains.push_back(
        {graph.external("channel means", channels), graph.external("channel scales", channels)});
  }
  return values;
}

Value gather_input(Graph& graph, const NetworkInput& input, const InputValues& values,
                   std::span<const InputSource> sources) {
  if (input.dtype == Dtype::kU8) {
    if (!input.differs()) {
      std::vector<ops::ImageSource> images;
      for (const InputSource& source : sources) images.push_back({source.data, source.indices});
      return ops::gather_normalize(graph, images, values.of(0).means, values.of(0).scales);
    }
    std::vector<Value> parts;
    for (const InputSource& source : sources) {
      const ops::ImageSource images{source.data, source.indices};
      const InputValues::OfDomain& own = values.of(source.domain);
      parts.push_back(ops::gather_normalize(graph, std::span(&images, 1), own.means, own.scales));
    }
    return parts.size() == 1 ? parts[0] : ops::concat_rows(graph, parts);
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
  const auto normalised = [&](std::span<const ops::AugmentedSource> of, int domain) {
    const Value bytes = ops::augment(graph, augmentation.step, of,
                                     {.seed = augmentation.seed,
                                      .view = static_cast<std::uint32_t>(augmentation.view),
                                      .channels = input.sample[2]});
    return ops::normalize(graph, bytes, values.of(domain).means, values.of(domain).scales);
  };
  if (!input.differs()) return normalised(augmented, 0);
  std::vector<Value> parts;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    parts.push_back(normalised(std::span(augmented).subspan(i, 1), sources[i].domain));
  }
  return parts.size() == 1 ? parts[0] : ops::concat_rows(graph, parts);
}

InputMemory::InputMemory(const Context& context, const NetworkInput& input) {
  domains_.push_back({in_context(context, input.means), in_context(context, input.scales)});
  if (!input.differs()) return;
  domains_.push_back(
      {in_context(context, input.target_means), in_context(context, input.target_scales)});
}

void InputMemory::bind(Program& program, const InputValues& values) const {
  for (std::size_t domain = 0; domain < values.domains.size(); ++domain) {
    program.bind(values.domains[domain].means, domains_[domain].means.data());
    program.bind(values.domains[domain].scales, domains_[domain].scales.data());
  }
}

}  // namespace gradflip
