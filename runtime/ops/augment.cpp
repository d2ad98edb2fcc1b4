#include "runtime/ops/augment.h"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/gather.h"
#include "runtime/ops/sample_sources.h"

namespace gradflip::ops {
namespace {

// Inputs: step, then images and indices of each source.
class Augment final : public OpWith<AugmentAttributes> {
 public:
  // What a source's rows are made with, and their segment.
  struct OfSource {
    AugmentProgram program;
    Rows segment;
  };

  Augment(const AugmentAttributes& attributes, std::vector<OfSource> sources)
      : OpWith(attributes), sources_(std::move(sources)) {
    for (const OfSource& source : sources_) require_valid(source.program);
  }

  std::string_view name() const override { return "augment"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[kStep] == (ValueType{Dtype::kI64, {}, {}}),
                     "augment: step must be an i64 scalar");
    const Rows rows = rows_of_sources(name(), inputs, kFirstImages);
    const Shape& first = inputs[kFirstImages].shape;
    GRADFLIP_REQUIRE(first.rank() == 4,
                     message("augment: images ", first.text(), "; expected (count, H, W, C)"));
    const Shape y{first[1], first[2], attributes().channels};
    for (std::size_t i = kFirstImages; i + 1 < inputs.size(); i += 2) {
      const Shape& images = inputs[i].shape;
      GRADFLIP_REQUIRE(inputs[i].dtype == Dtype::kU8 && images.rank() == 4 && images[1] == y[0] &&
                           images[2] == y[1],
                       message("augment: images ", images.text(), " do not give ", y.text()));
      require_valid(shape_of(images, 0));
      require_valid(draws_of(inputs[i + 1].rows));
    }
    return {{Dtype::kU8, y, rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return cost_of_sources(inputs, outputs, kFirstImages);
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    const AugmentShape shape = shape_of(inputs[kFirstImages].shape, rows);
    return std::visit([&](auto ctx) { return augment_workspace_bytes(ctx, shape); }, context);
  }

  void run(const Launch& launch) const override {
    auto* y = launch.out<std::uint8_t>(0);
    for (std::size_t i = kFirstImages; i + 1 < launch.inputs.size(); i += 2) {
      const OfSource& source = sources_[(i - kFirstImages) / 2];
      AugmentRows rows;
      rows.shape = shape_of(launch.inputs[i].shape, launch.inputs[i + 1].rows);
      rows.draws = draws_of(source.segment);
      rows.row_begin = launch.segments[rows.draws.stream].begin;
      rows.step = launch.in<std::int64_t>(kStep);
      rows.images = launch.in<std::uint8_t>(i);
      rows.indices = launch.in<std::int64_t>(i + 1);
      rows.y = y;
      dispatch(launch,
               [&](auto ctx) { gradflip::augment(ctx, rows, source.program, launch.workspace); });
      y += rows.shape.count * rows.shape.bytes();
    }
  }

 private:
  enum : std::size_t { kStep, kFirstImages };

  AugmentShape shape_of(const Shape& images, std::int64_t count) const {
    return {.count = count,
            .H = images[1],
            .W = images[2],
            .stored_channels = images[3],
            .channels = attributes().channels};
  }

  AugmentDraws draws_of(Rows segment) const {
    return {.seed = attributes().seed,
            .stream = static_cast<std::uint32_t>(std::countr_zero(segment.mask)),
            .view = attributes().view};
  }

  std::vector<OfSource> sources_;
};

// Inputs: bytes, mean, scale.
class Normalize final : public OpWith<NormalizeAttributes> {
 public:
  std::string_view name() const override { return "normalize"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType& bytes = inputs[kBytes];
    GRADFLIP_REQUIRE(bytes.dtype == Dtype::kU8 && bytes.shape.rank() == 3 && !bytes.rows.none(),
                     message("normalize: ", bytes.text(), " is not u8 rows x (H, W, C)"));
    const ValueType channels{Dtype::kF32, {bytes.shape[2]}, {}};
    GRADFLIP_REQUIRE(inputs[kMean] == channels && inputs[kScale] == channels,
                     message("normalize: mean ", inputs[kMean].text(), ", scale ",
                             inputs[kScale].text(), "; expected ", channels.text(), " each"));
    return {{Dtype::kF32, bytes.shape, bytes.rows}};
  }

  void run(const Launch& launch) const override {
    const TensorView& bytes = launch.inputs[kBytes];
    const GatherShape shape{.count = bytes.rows,
                            .pixels = bytes.shape[0] * bytes.shape[1],
                            .stored_channels = bytes.shape[2],
                            .channels = bytes.shape[2]};
    dispatch(launch, [&](auto ctx) {
      gradflip::normalize(ctx, shape, launch.in<std::uint8_t>(kBytes), launch.in<float>(kMean),
                          launch.in<float>(kScale), launch.out<float>(0));
    });
  }

 private:
  enum : std::size_t { kBytes, kMean, kScale };
};

}  // namespace

Value augment(Graph& graph, Value step, std::span<const AugmentedSource> sources,
              const AugmentAttributes& attributes) {
  std::vector<Value> inputs{step};
  std::vector<Augment::OfSource> of_sources;
  for (const AugmentedSource& source : sources) {
    inputs.push_back(source.images);
    inputs.push_back(source.indices);
    of_sources.push_back({source.program, graph.type(source.indices).rows});
  }
  return graph.append_one(std::make_shared<const Augment>(attributes, std::move(of_sources)),
                          std::move(inputs));
}

Value normalize(Graph& graph, Value bytes, Value mean, Value scale) {
  return graph.append_one(std::make_shared<const Normalize>(), {bytes, mean, scale});
}

}  // namespace gradflip::ops
