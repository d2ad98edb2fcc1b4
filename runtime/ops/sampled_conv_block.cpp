#include "runtime/ops/sampled_conv_block.h"

#include <array>

#include "kernels/sampled_conv_block.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: step, mean, scale, filter, bias, then images of each segment, each followed by its labels
// if it has any. Outputs: pooled, winner, the pictures if they are kept, labels of each segment
// that has any, schedules.
class SampledConvBlockOp final : public Op {
 public:
  struct Segment {
    SampledRows rows;
    bool has_labels = false;
  };

  SampledConvBlockOp(std::vector<Segment> segments, SampledConvBlockOptions options)
      : segments_(std::move(segments)), options_(std::move(options)) {}

  std::string_view name() const override { return "sampled_conv_block"; }
  // Without its pictures it cannot know the filter's.
  Gradient gradient_kind() const override {
    return options_.keep_pictures ? Gradient::kRule : Gradient::kMissing;
  }
  bool is_constant(int output) const override { return output != kPooled; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ConvBlockShape shape = shape_of(0, inputs[kFirstImages].shape, inputs[kFilter].shape);
    GRADFLIP_REQUIRE(samples_conv_block(shape), "sampled_conv_block: the filter does not fit");
    const Shape channels{shape.conv.C};
    GRADFLIP_REQUIRE(inputs[kMean].shape == channels && inputs[kScale].shape == channels,
                     message("sampled_conv_block: mean ", inputs[kMean].shape.text(), ", scale ",
                             inputs[kScale].shape.text(), " for ", shape.conv.C, " channels"));
    Rows rows;
    for (const Segment& segment : segments_) rows = rows | segment_rows(segment.rows.segment);
    const Shape pooled{shape.PP(), shape.PQ(), shape.conv.K};
    std::vector<ValueType> outputs{{Dtype::kF32, pooled, rows}, {Dtype::kU8, pooled, rows}};
    if (options_.keep_pictures) {
      outputs.push_back({Dtype::kF32, {shape.conv.H, shape.conv.W, shape.conv.C}, rows});
    }
    for (const Segment& segment : segments_) {
      if (!segment.has_labels) continue;
      outputs.push_back({Dtype::kI32, {}, segment_rows(segment.rows.segment)});
    }
    outputs.insert(outputs.end(), options_.schedules.size(), {Dtype::kF32, {}, {}});
    return outputs;
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const std::vector<Value>& outputs = request.node.outputs;
    std::vector<Value> dinputs(request.node.inputs.size());
    if (request.wanted[kFilter] == 0 && request.wanted[kBias] == 0) return dinputs;
    const Shape filter = request.graph.type(request.node.inputs[kFilter]).shape;
    const std::vector<Value> sums =
        conv_block_backward_filter(request.graph, options_.geometry, filter, outputs[kPictures],
                                   request.doutputs[0], outputs[1]);
    dinputs[kFilter] = sums[0];
    dinputs[kBias] = sums[1];
    return dinputs;
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    const ConvBlockShape shape = shape_of(rows, inputs[kFirstImages].shape, inputs[kFilter].shape);
    return std::visit([&](auto ctx) { return sampled_conv_block_workspace_bytes(ctx, shape); },
                      context);
  }

  // Of the data sets, the pictures and labels that a step takes.
  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    OpCost cost;
    cost.flops = conv2d_flops(
        shape_of(outputs[0].rows, inputs[kFirstImages].shape, inputs[kFilter].shape).conv);
    cost.nonzero_flops = cost.flops;
    cost.bytes = bytes_of(outputs) + bytes_of(inputs.subspan(kMean, kFirstImages - kMean));
    // Only labels tell a segment's rows; segments without share what is left.
    std::int64_t rest = outputs[0].rows, unlabelled = 0;
    std::size_t output = first_label();
    for (const Segment& segment : segments_) {
      if (segment.has_labels) rest -= outputs[output++].rows;
      unlabelled += segment.has_labels ? 0 : 1;
    }
    std::size_t input = kFirstImages;
    output = first_label();
    for (const Segment& segment : segments_) {
      const std::int64_t rows = segment.has_labels ? outputs[output++].rows : rest / unlabelled;
      const Shape& images = inputs[input].shape;
      const std::int64_t image_bytes = images.size() / images[0];
      cost.bytes += static_cast<double>(rows * image_bytes);
      if (segment.has_labels) cost.bytes += static_cast<double>(rows * bytes_of(Dtype::kI32));
      input += segment.has_labels ? 2 : 1;
    }
    return cost;
  }

  void run(const Launch& launch) const override {
    GRADFLIP_REQUIRE(launch.watch.state != nullptr,
                     "sampled_conv_block: this context cuts its batches");
    std::array<SampledSegment, kMaxSampledSegments> segments{};
    std::array<ScheduledValue, kMaxSchedules> schedules{};
    std::size_t input = kFirstImages;
    std::size_t output = first_label();
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      const auto segment = static_cast<std::size_t>(segments_[s].rows.segment);
      segments[s] = {.images = launch.in<std::uint8_t>(input),
                     .stored_channels = launch.inputs[input].shape[3],
                     .sampler = segments_[s].rows.sampler,
                     .rows = launch.segments[segment].count};
      ++input;
      if (!segments_[s].has_labels) continue;
      segments[s].labels = launch.in<std::int32_t>(input++);
      segments[s].row_labels = launch.out<std::int32_t>(output++);
    }
    for (std::size_t i = 0; i < options_.schedules.size(); ++i) {
      schedules[i] = {options_.schedules[i], launch.out<float>(output + i)};
    }
    const SampledConvBlock block{
        .shape = shape_of(launch.outputs[0].rows, launch.inputs[kFirstImages].shape,
                          launch.inputs[kFilter].shape),
        .segments = std::span(segments.data(), segments_.size()),
        .step = launch.in<std::int64_t>(kStep),
        .mean = launch.in<float>(kMean),
        .scale = launch.in<float>(kScale),
        .filter = launch.in<float>(kFilter),
        .bias = launch.in<float>(kBias),
        .pooled = launch.out<float>(0),
        .winner = launch.out<std::uint8_t>(1),
        .x = options_.keep_pictures ? launch.out<float>(kPictures) : nullptr,
        .schedules = std::span(schedules.data(), options_.schedules.size())};
    dispatch(launch, [&](auto ctx) { sampled_conv_block_forward(ctx, block, launch.workspace); });
  }

 private:
  enum : std::size_t { kStep, kMean, kScale, kFilter, kBias, kFirstImages };
  static constexpr int kPooled = 0;  // outputs
  static constexpr std::size_t kPictures = 2;

  std::size_t first_label() const { return kPictures + (options_.keep_pictures ? 1 : 0); }

  // The filter, not the data set, tells the channels.
  ConvBlockShape shape_of(std::int64_t N, const Shape& images, const Shape& filter) const {
    return conv_block_shape(options_.geometry, N, {images[1], images[2], filter[2]}, filter);
  }

  std::vector<Segment> segments_;
  SampledConvBlockOptions options_;
};

}  // namespace

SampledConvBlockOutputs sampled_conv_block(Graph& graph, const SampledConvBlockInputs& inputs,
                                           const SampledConvBlockOptions& options) {
  GRADFLIP_REQUIRE(!inputs.images.empty() && inputs.images.size() <= kMaxSampledSegments &&
                       options.schedules.size() <= kMaxSchedules,
                   message("sampled_conv_block: ", inputs.images.size(), " segments, ",
                           options.schedules.size(), " schedules"));
  std::vector<Value> values{inputs.step, inputs.mean, inputs.scale, inputs.filter, inputs.bias};
  std::vector<SampledConvBlockOp::Segment> segments;
  for (const SampledImages& images : inputs.images) {
    values.push_back(images.images);
    if (!images.labels.none()) values.push_back(images.labels);
    segments.push_back({images.rows, !images.labels.none()});
  }
  const std::vector<Value> outputs = graph.append(
      std::make_shared<const SampledConvBlockOp>(segments, options), std::move(values));
  SampledConvBlockOutputs result;
  result.pooled = outputs[0];
  std::size_t output = options.keep_pictures ? 3 : 2;
  for (const SampledConvBlockOp::Segment& segment : segments) {
    result.labels.push_back(segment.has_labels ? outputs[output++] : Value{});
  }
  result.schedules.assign(outputs.begin() + static_cast<std::ptrdiff_t>(output), outputs.end());
  return result;
}

}  // namespace gradflip::ops
