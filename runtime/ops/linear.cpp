#include "runtime/ops/linear.h"

#include "kernels/gemm.h"

namespace gradflip::ops {
namespace {

// Two for each multiply-add of each row with the weight.
OpCost dense_cost(std::int64_t rows, const Shape& weight, std::span<const TensorView> inputs,
                  std::span<const TensorView> outputs) {
  const double flops = 2.0 * static_cast<double>(rows * weight.size());
  return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
}

class LinearBackwardData final : public Op {
 public:
  LinearBackwardData(const Shape& x, Math math) : x_(x), math_(math) {}

  std::string_view name() const override { return "linear_backward_data"; }
  const Math& math() const { return math_; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, inputs[1].shape, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& dy = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, {.M = dy.rows, .N = x_.size(), .K = dy.shape.size(), .math = math_}, {},
           launch.in<float>(0), launch.in<float>(1), Write::kOverwrite, launch.out<float>(0));
    });
  }

 private:
  Shape x_;
  Math math_;
};

// dweight = dy^T x, a sum over the batch.
class LinearBackwardWeight final : public Op {
 public:
  LinearBackwardWeight(const Shape& weight, Math math) : weight_(weight), math_(math) {}

  std::string_view name() const override { return "linear_backward_weight"; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, weight_, {}}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, weight_, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      gemm(ctx,
           {.M = weight_[0],
            .N = weight_[1],
            .K = launch.inputs[0].rows,
            .transpose_a = true,
            .math = math_},
           {}, launch.in<float>(0), launch.in<float>(1), launch.write, launch.out<float>(0));
    });
  }

 private:
  Shape weight_;
  Math math_;
};

class Linear final : public Op {
 public:
  explicit Linear(Math math) : math_(math) {}

  std::string_view name() const override { return "linear"; }
  const Math& math() const { return math_; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && !inputs[0].rows.none() && inputs[1].rows.none() &&
                         inputs[0].dtype == Dtype::kF32 && inputs[1].dtype == Dtype::kF32 &&
                         inputs[1].shape.rank() == 2 &&
                         inputs[0].shape.size() == inputs[1].shape[1],
                     message("linear: x ", inputs[0].text(),
                             " does not have the in_features of weight ", inputs[1].text()));
    return {{Dtype::kF32, {inputs[1].shape[0]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value x = request.node.inputs[0], weight = request.node.inputs[1];
    const Value dy = request.doutputs[0];
    std::vector<Value> dinputs(2);
    if (request.wanted[0] != 0) {
      dinputs[0] = graph.append_one(
          std::make_shared<const LinearBackwardData>(graph.type(x).shape, math_), {dy, weight});
    }
    if (request.wanted[1] != 0) {
      dinputs[1] = graph.append_one(
          std::make_shared<const LinearBackwardWeight>(graph.type(weight).shape, math_), {dy, x});
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, inputs[1].shape, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const Shape& weight = launch.inputs[1].shape;
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, {.M = x.rows, .N = weight[0], .K = weight[1], .transpose_b = true, .math = math_},
           {}, launch.in<float>(0), launch.in<float>(1), Write::kOverwrite, launch.out<float>(0));
    });
  }

 private:
  Math math_;
};

}  // namespace

Value linear(Graph& graph, Value x, Value weight, Math math) {
  return graph.append_one(std::make_shared<const Linear>(math), {x, weight});
}

const Math* linear_math(const Op& op) {
  const auto* forward = dynamic_cast<const Linear*>(&op);
  return forward == nullptr ? nullptr : &forward->math();
}

const Math* linear_backward_data_math(const Op& op) {
  const auto* backward = dynamic_cast<const LinearBackwardData*>(&op);
  return backward == nullptr ? nullptr : &backward->math();
}

}  // namespace gradflip::ops
