#include "runtime/ops/batch_norm_pool.h"

#include <utility>

#include "kernels/batch_norm_pool.h"
#include "runtime/op.h"
#include "runtime/ops/batch_norm_parts.h"

namespace gradflip::ops {
namespace {

// x: (H, W, C) of a row.
Pool2dShape pool_of(const BatchNormPoolAttributes& attributes, std::int64_t N, const Shape& x) {
  return {.N = N,
          .H = x[0],
          .W = x[1],
          .C = x[2],
          .window_h = attributes.window_h,
          .window_w = attributes.window_w,
          .stride_h = attributes.window_h,
          .stride_w = attributes.window_w};
}

// Inputs: those of the forward, dy, winners, and the sums where the moments are the batch's.
class BatchNormPoolBackward final : public Op {
 public:
  explicit BatchNormPoolBackward(BatchNormPoolAttributes attributes)
      : attributes_(std::move(attributes)) {}

  std::string_view name() const override { return "batch_norm_pool_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const std::size_t others = attributes_.norm.of_batch ? 3 : 2;
    const BatchNorm norm = norm_operands(launch, attributes_.norm, others);
    const BatchNormCounts counts = norm_counts(launch, attributes_.norm.groups, norm.pixels);
    const std::size_t dy = launch.inputs.size() - others;
    const float* sums = attributes_.norm.of_batch ? launch.in<float>(dy + 2) : nullptr;
    dispatch(launch, [&](auto ctx) {
      batch_norm_pool_backward(ctx, norm, counts, pool_of(attributes_, x.rows, x.shape),
                               launch.in<float>(0), launch.in<float>(dy),
                               launch.in<std::uint8_t>(dy + 1), sums, launch.out<float>(0));
    });
  }

 private:
  BatchNormPoolAttributes attributes_;
};

// Outputs: y, the winners, and x at the winners, for the gradients.
class BatchNormPoolOp final : public OpWith<BatchNormPoolAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "batch_norm_pool"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_norm_operands(name(), inputs, attributes().norm);
    const ValueType& x = inputs[0];
    GRADFLIP_REQUIRE(x.shape.rank() == 3,
                     message(name(), ": ", x.text(), "; expected rows x (H, W, C)"));
    const Pool2dShape pool = pool_of(attributes(), 0, x.shape);
    require_valid({.groups = RowGroups::one(0), .pixels = pool.H * pool.W, .C = pool.C}, pool);
    const Shape y{pool.P(), pool.Q(), pool.C};
    return {{Dtype::kF32, y, x.rows}, {Dtype::kU8, y, x.rows}, {Dtype::kF32, y, x.rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    require_no_gradient_at(request, 2);
    const Node& node = request.node;
    return norm_gradients(request, attributes().norm, node.outputs[2], [&](Value sums) {
      std::vector<Value> operands(node.inputs);
      operands.insert(operands.end(), {request.doutputs[0], node.outputs[1]});
      if (!sums.none()) operands.push_back(sums);
      return request.graph.append_one(std::make_shared<const BatchNormPoolBackward>(attributes()),
                                      std::move(operands));
    });
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const BatchNorm norm = norm_operands(launch, attributes().norm, 0);
    dispatch(launch, [&](auto ctx) {
      batch_norm_pool_forward(ctx, norm, pool_of(attributes(), x.rows, x.shape),
                              launch.in<float>(0), launch.out<float>(0),
                              launch.out<std::uint8_t>(1), launch.out<float>(2));
    });
  }
};

}  // namespace

Value batch_norm_pool(Graph& graph, Value x, Value moments, std::span<const ChannelAffine> affine,
                      const BatchNormPoolAttributes& attributes) {
  return graph.append(std::make_shared<const BatchNormPoolOp>(attributes),
                      norm_inputs(x, moments, affine))[0];
}

}  // namespace gradflip::ops
