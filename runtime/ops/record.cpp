#include "runtime/ops/record.h"

#include <array>

#include "kernels/record.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: ring, step, then the scalars.
class Record final : public OpWith<RecordAttributes> {
 public:
  std::string_view name() const override { return "record"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const auto scalars = static_cast<std::int64_t>(inputs.size()) - 2;
    GRADFLIP_REQUIRE(scalars > 0 && scalars <= static_cast<std::int64_t>(kMaxRecordedScalars) &&
                         inputs[0].shape.rank() == 2 && inputs[0].shape[1] == scalars,
                     message("record: ", scalars, " scalars for a ring ", inputs[0].text()));
    for (const ValueType& scalar : inputs.subspan(2)) {
      GRADFLIP_REQUIRE(scalar == (ValueType{Dtype::kF32, {}, {}}),
                       message("record: ", scalar.text(), " is not a scalar"));
    }
    return {};
  }

  void run(const Launch& launch) const override {
    std::array<const float*, kMaxRecordedScalars> scalars{};
    const std::size_t count = launch.inputs.size() - 2;
    for (std::size_t i = 0; i < count; ++i) scalars[i] = launch.in<float>(i + 2);
    dispatch(launch, [&](auto ctx) {
      record_scalars(ctx, std::span(scalars.data(), count), launch.in<std::int64_t>(1),
                     launch.inputs[0].shape[0], static_cast<float*>(launch.inputs[0].data));
    });
  }
};

}  // namespace

void record(Graph& graph, Value ring, Value step, std::span<const Value> scalars) {
  std::vector<Value> inputs{ring, step};
  inputs.insert(inputs.end(), scalars.begin(), scalars.end());
  graph.append(std::make_shared<const Record>(), std::move(inputs));
}

}  // namespace gradflip::ops
