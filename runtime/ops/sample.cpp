#include "runtime/ops/sample.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class SampleIndices final : public OpWith<SampledRows> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "sample_indices"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0] == (ValueType{Dtype::kI64, {}, {}}),
                     "sample_indices: step must be an i64 scalar");
    return {{Dtype::kI64, {}, segment_rows(attributes().segment)}};
  }

  void run(const Launch& launch) const override {
    const SegmentRange& range = launch.segments[static_cast<std::size_t>(attributes().segment)];
    dispatch(launch, [&](auto ctx) {
      sample_indices(ctx, attributes().sampler, launch.in<std::int64_t>(0), range.begin,
                     range.count, launch.out<std::int64_t>(0));
    });
  }
};

}  // namespace

Value sample_indices(Graph& graph, Value step, int segment, const Sampler& sampler) {
  return graph.append_one(std::make_shared<const SampleIndices>(SampledRows{segment, sampler}),
                          {step});
}

}  // namespace gradflip::ops
