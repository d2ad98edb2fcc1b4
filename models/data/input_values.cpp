#include "models/data/input_values.h"

#include <vector>

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

InputMemory::InputMemory(const Context& context, const NetworkInput& input)
    : means_(in_context(context, input.means)), scales_(in_context(context, input.scales)) {}

void InputMemory::bind(Program& program, const InputValues& values) const {
  if (values.means.none()) return;
  program.bind(values.means, means_.data());
  program.bind(values.scales, scales_.data());
}

}  // namespace gradflip
