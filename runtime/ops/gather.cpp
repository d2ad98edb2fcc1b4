#include "runtime/ops/gather.h"

#include "kernels/gather.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: mean, then images and indices of each source.
class GatherNormalize final : public Op {
 public:
  explicit GatherNormalize(float factor) : factor_(factor) {}

  const float& factor() const { return factor_; }

  std::string_view name() const override { return "gather_normalize"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const Shape& mean = inputs[0].shape;
    GRADFLIP_REQUIRE(mean.rank() == 1 && inputs.size() >= 3,
                     "gather_normalize: no source or no mean");
    const Shape y{inputs[1].shape[1], inputs[1].shape[2], mean[0]};
    Rows rows;
    for (std::size_t i = 1; i + 1 < inputs.size(); i += 2) {
      const Shape& images = inputs[i].shape;
      GRADFLIP_REQUIRE(
          inputs[i].dtype == Dtype::kU8 && images.rank() == 4 && images[1] == y[0] &&
              images[2] == y[1] && (images[3] == 1 || images[3] == y[2]),
          message("gather_normalize: images ", images.text(), " do not give ", y.text()));
      GRADFLIP_REQUIRE(inputs[i + 1].dtype == Dtype::kI64 && !inputs[i + 1].rows.none() &&
                           inputs[i + 1].rows.mask > rows.mask,
                       "gather_normalize: the sources' segments must ascend");
      rows = rows | inputs[i + 1].rows;
    }
    return {{Dtype::kF32, y, rows}};
  }

  // Of the data set, the pictures that the indices name.
  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    double bytes = bytes_of(outputs);
    for (std::size_t i = 1; i + 1 < inputs.size(); i += 2) {
      const Shape& images = inputs[i].shape;
      const std::int64_t image_bytes = images.size() / images[0];
      bytes += static_cast<double>(inputs[i + 1].rows * image_bytes) +
               bytes_of(inputs.subspan(i + 1, 1));
    }
    return {.bytes = bytes};
  }

  void run(const Launch& launch) const override {
    const Shape& y = launch.outputs[0].shape;
    float* out = launch.out<float>(0);
    for (std::size_t i = 1; i + 1 < launch.inputs.size(); i += 2) {
      const GatherShape shape{.count = launch.inputs[i + 1].rows,
                              .pixels = y[0] * y[1],
                              .stored_channels = launch.inputs[i].shape[3],
                              .channels = y[2]};
      dispatch(launch, [&](auto ctx) {
        gather_normalize(ctx, shape, launch.in<std::uint8_t>(i), launch.in<std::int64_t>(i + 1),
                         launch.in<float>(0), factor_, out);
      });
      out += shape.count * y.size();
    }
  }

 private:
  float factor_;
};

class GatherLabels final : public Op {
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
                       float factor) {
  std::vector<Value> inputs{mean};
  for (const ImageSource& source : sources) {
    inputs.push_back(source.images);
    inputs.push_back(source.indices);
  }
  return graph.append_one(std::make_shared<const GatherNormalize>(factor), std::move(inputs));
}

Value gather_labels(Graph& graph, Value labels, Value indices) {
  return graph.append_one(std::make_shared<const GatherLabels>(), {labels, indices});
}

const float* gather_normalize_factor(const Op& op) {
  const auto* gather = dynamic_cast<const GatherNormalize*>(&op);
  return gather == nullptr ? nullptr : &gather->factor();
}

}  // namespace gradflip::ops
