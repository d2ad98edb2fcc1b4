#include "runtime/ops/row_sums.h"

#include "kernels/elementwise.h"
#include "kernels/row_sums.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class SumRows final : public OpWith<SumRowsAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "sum_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 && !inputs[0].rows.none(),
                     message("sum_rows: ", inputs[0].text(), " is not f32 with rows"));
    return {{Dtype::kF32, inputs[0].shape, {}}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {
        spread_rows(request.graph, request.doutputs[0], attributes().rows, attributes().weights)};
  }

  void run(const Launch& launch) const override {
    const std::int64_t features = launch.outputs[0].shape.size();
    Write write = launch.write;
    for_each_weighed_segment(launch.segments, attributes().rows, attributes().weights,
                             [&](const WeighedSegment& segment) {
                               dispatch(launch, [&](auto ctx) {
                                 gradflip::sum_rows(ctx, segment.count, features,
                                                    {segment.weight, nullptr},
                                                    launch.in<float>(0) + segment.first * features,
                                                    write, launch.out<float>(0));
                               });
                               write = Write::kAccumulate;
                             });
  }
};

class SpreadRows final : public Op {
 public:
  SpreadRows(Rows rows, const RowWeights& weights) : rows_(rows), weights_(weights) {}

  std::string_view name() const override { return "spread_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 &&
                         inputs[0].rows.none() && !rows_.none(),
                     message("spread_rows: ", inputs[0].text(), " is not f32 without rows"));
    return {{Dtype::kF32, inputs[0].shape, rows_}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {sum_rows(request.graph, request.doutputs[0], weights_)};
  }

  void run(const Launch& launch) const override {
    const std::int64_t features = launch.inputs[0].shape.size();
    for_each_weighed_segment(launch.segments, rows_, weights_, [&](const WeighedSegment& segment) {
      dispatch(launch, [&](auto ctx) {
        gradflip::spread_rows(ctx, segment.count, features, {segment.weight, nullptr},
                              launch.in<float>(0), launch.out<float>(0) + segment.first * features);
      });
    });
  }

 private:
  Rows rows_;
  RowWeights weights_;
};

class SumFeatures final : public Op {
 public:
  std::string_view name() const override { return "sum_features"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32,
                     message("sum_features: ", inputs[0].text(), " is not f32"));
    return {{Dtype::kF32, {}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {spread_features(request.graph, request.doutputs[0],
                            request.graph.type(request.node.inputs[0]).shape)};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      gradflip::sum_features(ctx, x.rows, x.shape.size(), launch.in<float>(0),
                             launch.out<float>(0));
    });
  }
};

class SpreadFeatures final : public Op {
 public:
  explicit SpreadFeatures(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "spread_features"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 && inputs[0].shape == Shape{},
        message("spread_features: ", inputs[0].text(), " is not f32 ()"));
    return {{Dtype::kF32, shape_, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {sum_features(request.graph, request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    const TensorView& y = launch.outputs[0];
    dispatch(launch, [&](auto ctx) {
      gradflip::spread_features(ctx, y.rows, y.shape.size(), launch.in<float>(0),
                                launch.out<float>(0));
    });
  }

 private:
  Shape shape_;
};

}  // namespace

Value sum_rows(Graph& graph, Value x, const RowWeights& weights) {
  return graph.append_one(
      std::make_shared<const SumRows>(SumRowsAttributes{graph.type(x).rows, weights}), {x});
}

Value mean_rows(Graph& graph, Value x) { return sum_rows(graph, x, {.over = Over::kRows}); }

Value sum_of_means(Graph& graph, Value x) { return sum_rows(graph, x, {.over = Over::kSegments}); }

Value spread_rows(Graph& graph, Value x, Rows rows, const RowWeights& weights) {
  return graph.append_one(std::make_shared<const SpreadRows>(rows, weights), {x});
}

Value sum_features(Graph& graph, Value x) {
  return graph.append_one(std::make_shared<const SumFeatures>(), {x});
}

Value spread_features(Graph& graph, Value x, const Shape& shape) {
  return graph.append_one(std::make_shared<const SpreadFeatures>(shape), {x});
}

}  // namespace gradflip::ops
