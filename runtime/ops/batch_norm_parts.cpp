#include "runtime/ops/batch_norm_parts.h"

#include <utility>

#include "kernels/moments.h"

namespace gradflip::ops {
namespace {

// Inputs: those of the forward, with the values to sum for x; dy.
class BatchNormSums final : public Op {
 public:
  explicit BatchNormSums(BatchNormAttributes attributes) : attributes_(std::move(attributes)) {}

  std::string_view name() const override { return "batch_norm_sums"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const Shape& shape = inputs[0].shape;
    return {{Dtype::kF32,
             {static_cast<std::int64_t>(attributes_.groups.size()), 2, shape[shape.rank() - 1]},
             {}}};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    const Shape& shape = inputs[0].shape;
    return std::visit(
        [&](auto ctx) { return batch_norm_workspace_bytes(ctx, rows, shape[shape.rank() - 1]); },
        context);
  }

  void run(const Launch& launch) const override {
    const BatchNorm norm = norm_operands(launch, attributes_, 1);
    dispatch(launch, [&](auto ctx) {
      batch_norm_sums(ctx, norm, launch.in<float>(0), launch.in<float>(launch.inputs.size() - 1),
                      launch.write, launch.out<float>(0), launch.workspace);
    });
  }

 private:
  BatchNormAttributes attributes_;
};

// From the sums: the gradients of the scale and shift of those groups that share them.
class BatchNormParameters final : public Op {
 public:
  explicit BatchNormParameters(SharedBy shared) : shared_(shared) {}

  std::string_view name() const override { return "batch_norm_parameters"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType channels{Dtype::kF32, {inputs[0].shape[2]}, {}};
    return {channels, channels};
  }

  void run(const Launch& launch) const override {
    const Shape& shape = launch.inputs[0].shape;
    dispatch(launch, [&](auto ctx) {
      batch_norm_parameters(ctx, static_cast<int>(shape[0]), shared_, shape[2], launch.in<float>(0),
                            launch.out<float>(0), launch.out<float>(1));
    });
  }

 private:
  SharedBy shared_;
};

}  // namespace

BatchNorm norm_operands(const Launch& launch, const BatchNormAttributes& attributes,
                        std::size_t others) {
  const Shape& shape = launch.inputs[0].shape;
  const std::int64_t C = shape[shape.rank() - 1];
  BatchNorm norm{.groups = row_groups(attributes.groups, launch.segments),
                 .pixels = shape.size() / C,
                 .C = C,
                 .rectifier = attributes.rectifier,
                 .moments = launch.in<float>(1)};
  const std::size_t pairs = (launch.inputs.size() - 2 - others) / 2;
  for (std::size_t group = 0; group < attributes.groups.size(); ++group) {
    const std::size_t pair = 2 + (pairs == 1 ? 0 : 2 * group);
    norm.scale[group] = launch.in<float>(pair);
    norm.shift[group] = launch.in<float>(pair + 1);
  }
  return norm;
}

BatchNormCounts norm_counts(const Launch& launch, const SegmentGroups& groups,
                            std::int64_t pixels) {
  const RowGroups whole = row_groups(groups, launch.segments, /*whole=*/true);
  BatchNormCounts counts;
  for (int group = 0; group < whole.groups; ++group) {
    counts.of[group] = whole.rows_of(group) * pixels;
  }
  return counts;
}

void require_norm_operands(std::string_view name, std::span<const ValueType> inputs,
                           const BatchNormAttributes& attributes) {
  const ValueType& x = inputs[0];
  GRADFLIP_REQUIRE(x.dtype == Dtype::kF32 && !x.rows.none() && x.shape.rank() > 0,
                   message(name, ": ", x.text(), "; expected f32 rows x (..., C)"));
  require_groups_of(name, attributes.groups, x.rows);
  const std::int64_t C = x.shape[x.shape.rank() - 1];
  const auto groups = static_cast<std::int64_t>(attributes.groups.size());
  const ValueType moments{Dtype::kF32, {groups, kMoments, C}, {}};
  GRADFLIP_REQUIRE(inputs[1] == moments,
                   message(name, ": the moments are ", inputs[1].text(), ", not ", moments.text()));
  const std::size_t pairs = (inputs.size() - 2) / 2;
  GRADFLIP_REQUIRE(pairs == 1 || pairs == attributes.groups.size(),
                   message(name, ": ", pairs, " scales and shifts for ", groups, " groups"));
  for (const ValueType& each : inputs.subspan(2)) {
    GRADFLIP_REQUIRE(each == (ValueType{Dtype::kF32, {C}, {}}),
                     message(name, ": a scale or shift is ", each.text(), ", not f32 (", C, ")"));
  }
}

std::vector<Value> norm_inputs(Value x, Value moments, std::span<const ChannelAffine> affine) {
  std::vector<Value> inputs{x, moments};
  for (const ChannelAffine& each : affine) {
    inputs.insert(inputs.end(), {each.scale, each.shift});
  }
  return inputs;
}

std::vector<ChannelAffine> affine_of(std::span<const Value> norm_inputs) {
  std::vector<ChannelAffine> affine;
  for (std::size_t i = 2; i + 1 < norm_inputs.size(); i += 2) {
    affine.push_back({norm_inputs[i], norm_inputs[i + 1]});
  }
  return affine;
}

std::vector<Value> norm_gradients(const GradientRequest& request,
                                  const BatchNormAttributes& attributes, Value summed,
                                  const MakeInputGradient& make_dx) {
  Graph& graph = request.graph;
  const std::vector<Value>& inputs = request.node.inputs;
  std::vector<Value> dinputs(inputs.size());
  bool parameters = false;
  for (std::size_t i = 2; i < inputs.size(); ++i) parameters |= request.wanted[i] != 0;
  Value sums;
  if (parameters || attributes.of_batch) {
    std::vector<Value> operands(inputs);
    operands[0] = summed;
    operands.push_back(request.doutputs[0]);
    sums = graph.append_one(std::make_shared<const BatchNormSums>(attributes), operands);
  }
  if (request.wanted[0] != 0) dinputs[0] = make_dx(attributes.of_batch ? sums : Value{});
  const std::size_t pairs = (inputs.size() - 2) / 2;
  for (std::size_t pair = 0; pair < pairs && parameters; ++pair) {
    SharedBy shared;
    for (std::size_t group = 0; group < attributes.groups.size(); ++group) {
      shared.group[group] = pairs == 1 || group == pair;
    }
    const std::vector<Value> gradients =
        graph.append(std::make_shared<const BatchNormParameters>(shared), {sums});
    dinputs[2 + 2 * pair] = gradients[0];
    dinputs[3 + 2 * pair] = gradients[1];
  }
  return dinputs;
}

}  // namespace gradflip::ops
