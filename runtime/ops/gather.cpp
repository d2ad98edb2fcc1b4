#include "runtime/ops/gather.h"

#include <algorithm>
#include <array>

#include "kernels/gather.h"
#include "runtime/op.h"
#include "runtime/ops/sample_sources.h"

namespace gradflip::ops {
namespace {

// Inputs: mean, scale, then images and indices of each source.
class GatherNormalize final : public OpWith<GatherNormalizeAttributes> {
 public:
  std::string_view name() const override { return "gather_normalize"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType& mean = inputs[kMean];
    GRADFLIP_REQUIRE(mean.dtype == Dtype::kF32 && mean.shape.rank() == 1 &&
                         inputs[kScale].dtype == Dtype::kF32 && inputs[kScale].shape == mean.shape,
                     message("gather_normalize: mean ", mean.text(), ", scale ",
                             inputs[kScale].text(), "; expected f32 (C) each"));
    const Rows rows = rows_of_sources(name(), inputs, kFirstImages);
    const Shape& first = inputs[kFirstImages].shape;
    const Shape y{first[1], first[2], mean.shape[0]};
    for (std::size_t i = kFirstImages; i < inputs.size(); i += 2) {
      const Shape& images = inputs[i].shape;
      GRADFLIP_REQUIRE(
          inputs[i].dtype == Dtype::kU8 && images.rank() == 4 && images[1] == y[0] &&
              images[2] == y[1] && (images[3] == 1 || images[3] == y[2]),
          message("gather_normalize: images ", images.text(), " do not give ", y.text()));
    }
    return {{Dtype::kF32, y, rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return cost_of_sources(inputs, outputs, kFirstImages);
  }

  void run(const Launch& launch) const override {
    const Shape& y = launch.outputs[0].shape;
    float* out = launch.out<float>(0);
    for (std::size_t i = kFirstImages; i + 1 < launch.inputs.size(); i += 2) {
      const GatherShape shape{.count = launch.inputs[i + 1].rows,
                              .pixels = y[0] * y[1],
                              .stored_channels = launch.inputs[i].shape[3],
                              .channels = y[2]};
      dispatch(launch, [&](auto ctx) {
        gather_normalize(ctx, shape, launch.in<std::uint8_t>(i), launch.in<std::int64_t>(i + 1),
                         launch.in<float>(kMean), launch.in<float>(kScale), out);
      });
      out += shape.count * y.size();
    }
  }

 private:
  enum : std::size_t { kMean, kScale, kFirstImages };
};

// Inputs: data and indices of each source.
class GatherRows final : public Op {
 public:
  std::string_view name() const override { return "gather_rows"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const Rows rows = rows_of_sources(name(), inputs, 0);
    const Shape y = row_shape(inputs[0].shape);
    for (std::size_t i = 0; i < inputs.size(); i += 2) {
      const ValueType& data = inputs[i];
      GRADFLIP_REQUIRE(data.dtype == Dtype::kF32 && data.rows.none() && data.shape.rank() >= 1 &&
                           row_shape(data.shape) == y,
                       message("gather_rows: data ", data.text(), "; expected f32 (count, ...) of ",
                               y.text(), ", without rows"));
    }
    return {{Dtype::kF32, y, rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return cost_of_sources(inputs, outputs, 0);
  }

  void run(const Launch& launch) const override {
    const std::int64_t D = launch.outputs[0].shape.size();
    float* out = launch.out<float>(0);
    for (std::size_t i = 0; i + 1 < launch.inputs.size(); i += 2) {
      const std::int64_t count = launch.inputs[i + 1].rows;
      dispatch(launch, [&](auto ctx) {
        gather_rows(ctx, count, D, launch.in<float>(i), launch.in<std::int64_t>(i + 1), out);
      });
      out += count * D;
    }
  }

 private:
  // Of data (count, ...), what one row is.
  static Shape row_shape(const Shape& data) {
    std::array<std::int64_t, Shape::kMaxRank> extents{};
    for (int axis = 1; axis < data.rank(); ++axis) {
      extents[static_cast<std::size_t>(axis - 1)] = data[axis];
    }
    return Shape(std::span(extents).first(static_cast<std::size_t>(std::max(data.rank(), 1) - 1)));
  }
};

class GatherLabels final : public OpWith<GatherLabelsAttributes> {
 public:
  std::string_view name() const override { return "gather_labels"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kI32 && inputs[0].shape.rank() == 1 &&
                         inputs[1].dtype == Dtype::kI64 && !inputs[1].rows.none(),
                     message("gather_labels: labels ", inputs[0].text(), ", indices ",
                             inputs[1].text(), "; expected i32 (count) and i64 rows"));
    return {{Dtype::kI32, {}, inputs[1].rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return {.bytes = bytes_of(inputs.subspan(1)) + 2 * bytes_of(outputs)};  // labels in and out
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      gather_labels(ctx, launch.inputs[1].rows, launch.in<std::int32_t>(0),
                    launch.in<std::int64_t>(1), launch.out<std::int32_t>(0));
    });
  }
};

}  // namespace

Value gather_normalize(Graph& graph, std::span<const ImageSource> sources, Value mean,
                       Value scale) {
  std::vector<Value> inputs{mean, scale};
  for (const ImageSource& source : sources) {
    inputs.push_back(source.images);
    inputs.push_back(source.indices);
  }
  return graph.append_one(std::make_shared<const GatherNormalize>(), std::move(inputs));
}

Value gather_rows(Graph& graph, std::span<const RowSource> sources) {
  std::vector<Value> inputs;
  for (const RowSource& source : sources) {
    inputs.push_back(source.data);
    inputs.push_back(source.indices);
  }
  return graph.append_one(std::make_shared<const GatherRows>(), std::move(inputs));
}

Value gather_labels(Graph& graph, Value labels, Value indices) {
  return graph.append_one(std::make_shared<const GatherLabels>(), {labels, indices});
}

}  // namespace gradflip::ops
