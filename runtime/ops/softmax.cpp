#include "runtime/ops/softmax.h"

#include "kernels/softmax.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"

namespace gradflip::ops {
namespace {

SoftmaxShape shape_of(const TensorView& logits) {
  return {.N = logits.rows, .num_classes = logits.shape[0]};
}

std::vector<ValueType> type_of_rows(std::string_view name, std::span<const ValueType> inputs) {
  GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 &&
                       inputs[0].shape.rank() == 1 && inputs[0].shape[0] > 0,
                   message(name, ": ", inputs[0].text(), "; expected f32 rows x (num_classes)"));
  return {inputs[0]};
}

// In each element of a row the sum of the row's.
Value row_sum(Graph& graph, Value x) {
  return spread_features(graph, sum_features(graph, x), graph.type(x).shape);
}

Value append_softmax_backward(Graph& graph, Value y, Value dy);
Value append_log_softmax_backward(Graph& graph, Value y, Value dy);

// dx = y (dy - sum y dy)
class SoftmaxBackward final : public Op {
 public:
  std::string_view name() const override { return "softmax_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  // With v = what arrives: of dy, the same operation on v; of y, v (dy - sum y dy) - dy sum y v.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value y = request.node.inputs[0], dy = request.node.inputs[1], v = request.doutputs[0];
    std::vector<Value> gradients(2);
    if (request.wanted[0] != 0) {
      const Value centred = subtract(graph, dy, row_sum(graph, multiply(graph, y, dy)));
      gradients[0] = subtract(graph, multiply(graph, v, centred),
                              multiply(graph, dy, row_sum(graph, multiply(graph, y, v))));
    }
    if (request.wanted[1] != 0) gradients[1] = append_softmax_backward(graph, y, v);
    return gradients;
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      softmax_backward(ctx, shape_of(launch.inputs[0]), launch.in<float>(0), launch.in<float>(1),
                       launch.out<float>(0));
    });
  }
};

// dx = dy - exp(y) sum dy
class LogSoftmaxBackward final : public Op {
 public:
  std::string_view name() const override { return "log_softmax_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  // With v = what arrives: of dy, v - sum exp(y) v; of y, -v exp(y) sum dy.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value y = request.node.inputs[0], dy = request.node.inputs[1], v = request.doutputs[0];
    const Value weighed = multiply(graph, exp(graph, y), v);
    std::vector<Value> gradients(2);
    if (request.wanted[0] != 0) {
      gradients[0] = scale(graph, multiply(graph, weighed, row_sum(graph, dy)), -1.0F);
    }
    if (request.wanted[1] != 0) gradients[1] = subtract(graph, v, row_sum(graph, weighed));
    return gradients;
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      log_softmax_backward(ctx, shape_of(launch.inputs[0]), launch.in<float>(0),
                           launch.in<float>(1), launch.out<float>(0));
    });
  }
};

class Softmax final : public OpWith<SoftmaxAttributes> {
 public:
  std::string_view name() const override { return "softmax"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return type_of_rows(name(), inputs);
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {append_softmax_backward(request.graph, request.node.outputs[0], request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      gradflip::softmax(ctx, shape_of(launch.inputs[0]), launch.in<float>(0), launch.out<float>(0));
    });
  }
};

class LogSoftmax final : public OpWith<LogSoftmaxAttributes> {
 public:
  std::string_view name() const override { return "log_softmax"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return type_of_rows(name(), inputs);
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {
        append_log_softmax_backward(request.graph, request.node.outputs[0], request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      gradflip::log_softmax(ctx, shape_of(launch.inputs[0]), launch.in<float>(0),
                            launch.out<float>(0));
    });
  }
};

Value append_softmax_backward(Graph& graph, Value y, Value dy) {
  return graph.append_one(std::make_shared<const SoftmaxBackward>(), {y, dy});
}

Value append_log_softmax_backward(Graph& graph, Value y, Value dy) {
  return graph.append_one(std::make_shared<const LogSoftmaxBackward>(), {y, dy});
}

}  // namespace

Value softmax(Graph& graph, Value logits) {
  return graph.append_one(std::make_shared<const Softmax>(), {logits});
}

Value log_softmax(Graph& graph, Value logits) {
  return graph.append_one(std::make_shared<const LogSoftmax>(), {logits});
}

Value entropy(Graph& graph, Value logits) {
  const Value log_probs = log_softmax(graph, logits);
  const Value terms = multiply(graph, exp(graph, log_probs), log_probs);
  return scale(graph, sum_features(graph, terms), -1.0F);
}

}  // namespace gradflip::ops
