#include "runtime/ops/outer_product.h"

#include "kernels/outer_product.h"

namespace gradflip::ops {
namespace {

// da, from dy and b; db, from dy and a. With the product itself they are each other's gradients.
Value append_backward_a(Graph& graph, Value dy, Value b);
Value append_backward_b(Graph& graph, Value dy, Value a);

class OuterProductBackwardA final : public Op {
 public:
  std::string_view name() const override { return "outer_product_backward_a"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, {inputs[0].shape[0] / inputs[1].shape[0]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value dy = request.node.inputs[0], b = request.node.inputs[1], v = request.doutputs[0];
    return {request.wanted[0] != 0 ? outer_product(graph, v, b) : Value{},
            request.wanted[1] != 0 ? append_backward_b(graph, dy, v) : Value{}};
  }

  void run(const Launch& launch) const override {
    const TensorView &b = launch.inputs[1], &da = launch.outputs[0];
    dispatch(launch, [&](auto ctx) {
      outer_product_backward_a(ctx, {.N = da.rows, .A = da.shape[0], .B = b.shape[0]},
                               launch.in<float>(0), launch.in<float>(1), launch.out<float>(0));
    });
  }
};

class OuterProductBackwardB final : public Op {
 public:
  std::string_view name() const override { return "outer_product_backward_b"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, {inputs[0].shape[0] / inputs[1].shape[0]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value dy = request.node.inputs[0], a = request.node.inputs[1], v = request.doutputs[0];
    return {request.wanted[0] != 0 ? outer_product(graph, a, v) : Value{},
            request.wanted[1] != 0 ? append_backward_a(graph, dy, v) : Value{}};
  }

  void run(const Launch& launch) const override {
    const TensorView &a = launch.inputs[1], &db = launch.outputs[0];
    dispatch(launch, [&](auto ctx) {
      outer_product_backward_b(ctx, {.N = db.rows, .A = a.shape[0], .B = db.shape[0]},
                               launch.in<float>(0), launch.in<float>(1), launch.out<float>(0));
    });
  }
};

class OuterProduct final : public OpWith<OuterProductAttributes> {
 public:
  std::string_view name() const override { return "outer_product"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const auto fits = [](const ValueType& type) {
      return type.dtype == Dtype::kF32 && type.shape.rank() == 1 && type.shape[0] > 0;
    };
    GRADFLIP_REQUIRE(inputs.size() == 2 && fits(inputs[0]) && fits(inputs[1]) &&
                         inputs[0].rows == inputs[1].rows && !inputs[0].rows.none(),
                     message("outer_product: a ", inputs[0].text(), ", b ", inputs[1].text(),
                             "; expected f32 rows x (A) and the same rows x (B)"));
    return {{Dtype::kF32, {inputs[0].shape[0] * inputs[1].shape[0]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value a = request.node.inputs[0], b = request.node.inputs[1], dy = request.doutputs[0];
    return {request.wanted[0] != 0 ? append_backward_a(graph, dy, b) : Value{},
            request.wanted[1] != 0 ? append_backward_b(graph, dy, a) : Value{}};
  }

  void run(const Launch& launch) const override {
    const TensorView &a = launch.inputs[0], &b = launch.inputs[1];
    dispatch(launch, [&](auto ctx) {
      outer_product_forward(ctx, {.N = a.rows, .A = a.shape[0], .B = b.shape[0]},
                            launch.in<float>(0), launch.in<float>(1), launch.out<float>(0));
    });
  }
};

Value append_backward_a(Graph& graph, Value dy, Value b) {
  return graph.append_one(std::make_shared<const OuterProductBackwardA>(), {dy, b});
}

Value append_backward_b(Graph& graph, Value dy, Value a) {
  return graph.append_one(std::make_shared<const OuterProductBackwardB>(), {dy, a});
}

}  // namespace

Value outer_product(Graph& graph, Value a, Value b) {
  return graph.append_one(std::make_shared<const OuterProduct>(), {a, b});
}

}  // namespace gradflip::ops
