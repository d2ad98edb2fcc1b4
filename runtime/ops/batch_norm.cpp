#include "runtime/ops/batch_norm.h"

#include "kernels/batch_norm.h"
#include "kernels/moments.h"

namespace gradflip::ops {
namespace {

// Of a node whose inputs are x, the moments, pairs of scale and shift, and `others` behind them.
BatchNorm operands_of(const Launch& launch, const BatchNormAttributes& attributes,
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

BatchNormCounts counts_of(const Launch& launch, const SegmentGroups& groups, std::int64_t pixels) {
  const RowGroups whole = row_groups(groups, launch.segments, /*whole=*/true);
  BatchNormCounts counts;
  for (int group = 0; group < whole.groups; ++group) {
    counts.of[group] = whole.rows_of(group) * pixels;
  }
  return counts;
}

// Inputs: those of the forward, dy.
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
    const BatchNorm norm = operands_of(launch, attributes_, 1);
    dispatch(launch, [&](auto ctx) {
      batch_norm_sums(ctx, norm, launch.in<float>(0), launch.in<float>(launch.inputs.size() - 1),
                      launch.write, launch.out<float>(0), launch.workspace);
    });
  }

 private:
  BatchNormAttributes attributes_;
};

// Inputs: those of the forward, dy, and the sums where the moments are the batch's.
class BatchNormBackward final : public Op {
 public:
  explicit BatchNormBackward(BatchNormAttributes attributes) : attributes_(std::move(attributes)) {}

  std::string_view name() const override { return "batch_norm_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  void run(const Launch& launch) const override {
    const BatchNorm norm = operands_of(launch, attributes_, attributes_.of_batch ? 2 : 1);
    const BatchNormCounts counts = counts_of(launch, attributes_.groups, norm.pixels);
    const std::size_t dy = launch.inputs.size() - (attributes_.of_batch ? 2 : 1);
    const float* sums = attributes_.of_batch ? launch.in<float>(dy + 1) : nullptr;
    dispatch(launch, [&](auto ctx) {
      batch_norm_backward(ctx, norm, counts, launch.in<float>(0), launch.in<float>(dy), sums,
                          launch.out<float>(0));
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

// Inputs: x, moments, then scale and shift of each group, or of all.
class BatchNormOp final : public OpWith<BatchNormAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "batch_norm"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType& x = inputs[0];
    GRADFLIP_REQUIRE(x.dtype == Dtype::kF32 && !x.rows.none() && x.shape.rank() > 0,
                     message("batch_norm: ", x.text(), "; expected f32 rows x (..., C)"));
    require_groups_of(name(), attributes().groups, x.rows);
    const std::int64_t C = x.shape[x.shape.rank() - 1];
    const auto groups = static_cast<std::int64_t>(attributes().groups.size());
    const ValueType moments{Dtype::kF32, {groups, kMoments, C}, {}};
    GRADFLIP_REQUIRE(inputs[1] == moments, message("batch_norm: the moments are ", inputs[1].text(),
                                                   ", not ", moments.text()));
    const std::size_t pairs = (inputs.size() - 2) / 2;
    GRADFLIP_REQUIRE(pairs == 1 || pairs == attributes().groups.size(),
                     message("batch_norm: ", pairs, " scales and shifts for ", groups, " groups"));
    for (const ValueType& each : inputs.subspan(2)) {
      GRADFLIP_REQUIRE(
          each == (ValueType{Dtype::kF32, {C}, {}}),
          message("batch_norm: a scale or shift is ", each.text(), ", not f32 (", C, ")"));
    }
    return {x};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const std::vector<Value>& inputs = request.node.inputs;
    std::vector<Value> operands(inputs);
    operands.push_back(request.doutputs[0]);
    std::vector<Value> dinputs(inputs.size());
    bool parameters = false;
    for (std::size_t i = 2; i < inputs.size(); ++i) parameters |= request.wanted[i] != 0;
    Value sums;
    if (parameters || attributes().of_batch) {
      sums = graph.append_one(std::make_shared<const BatchNormSums>(attributes()), operands);
    }
    if (request.wanted[0] != 0) {
      if (attributes().of_batch) operands.push_back(sums);
      dinputs[0] =
          graph.append_one(std::make_shared<const BatchNormBackward>(attributes()), operands);
    }
    const std::size_t pairs = (inputs.size() - 2) / 2;
    for (std::size_t pair = 0; pair < pairs && parameters; ++pair) {
      SharedBy shared;
      for (std::size_t group = 0; group < attributes().groups.size(); ++group) {
        shared.group[group] = pairs == 1 || group == pair;
      }
      const std::vector<Value> gradients =
          graph.append(std::make_shared<const BatchNormParameters>(shared), {sums});
      dinputs[2 + 2 * pair] = gradients[0];
      dinputs[3 + 2 * pair] = gradients[1];
    }
    return dinputs;
  }

  void run(const Launch& launch) const override {
    const BatchNorm norm = operands_of(launch, attributes(), 0);
    dispatch(launch, [&](auto ctx) {
      batch_norm_forward(ctx, norm, launch.in<float>(0), launch.out<float>(0));
    });
  }
};

}  // namespace

Value batch_norm(Graph& graph, Value x, Value moments, std::span<const ChannelAffine> affine,
                 const BatchNormAttributes& attributes) {
  std::vector<Value> inputs{x, moments};
  for (const ChannelAffine& each : affine) {
    inputs.insert(inputs.end(), {each.scale, each.shift});
  }
  return graph.append_one(std::make_shared<const BatchNormOp>(attributes), std::move(inputs));
}

}  // namespace gradflip::ops
