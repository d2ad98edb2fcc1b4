// What the three launches of heads.h read and write, in a context's memory.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "benchmarks/support/arrays.h"
#include "kernels/heads.h"

namespace gradflip::bench {

inline constexpr float kHeadsLambda = 0.7F;

// On the host, for a comparison.
struct HeadResult {
  std::vector<float> weights[kMaxHeadLayers], biases[kMaxHeadLayers];
  std::vector<float> hidden[kMaxHeadLayers], dlayers[kMaxHeadLayers];
  std::vector<float> dweights[kMaxHeadLayers], dbiases[kMaxHeadLayers];
  std::vector<float> loss;
  std::vector<std::int32_t> classes;
  std::vector<HeadRange> ranges;
};

struct HeadsResult {
  HeadsShape shape;
  std::vector<float> features, dfeatures;
  std::vector<HeadResult> heads;
};

// A softmax head has labels in memory and the mean of its rows as loss; a binary one the labels 0
// and 1 of two halves of its rows, the sum of their means as loss, and reverses what it sends back.
template <typename Ctx>
class HeadsArrays {
 public:
  HeadsArrays(Ctx ctx, const HeadsShape& shape)
      : context_(ctx),
        shape_(shape),
        features_(floats(shape.rows * shape.features)),
        lambda_(ctx, std::vector<float>{kHeadsLambda}),
        dfeatures_(ctx, shape.rows * shape.features),
        state_(ctx, std::vector<StepState>(1)),
        forward_workspace_(ctx, heads_forward_workspace_bytes(ctx, shape)),
        weights_workspace_(ctx, heads_backward_weights_workspace_bytes(ctx, shape)) {
    std::int64_t parameters = 0;
    for (int h = 0; h < shape.num_heads; ++h) {
      for (int l = 0; l < shape.heads[h].num_layers; ++l) {
        parameters += shape.heads[h].widths[l] * (shape.inputs(h, l) + 1);
      }
    }
    gradients_ = std::make_unique<Array<float>>(ctx, parameters);
    float* next = gradients_->data();
    for (int h = 0; h < shape.num_heads; ++h) add_head(h, next);
    forward();
  }

  void forward() const {
    heads_forward(context_, shape_, features_.data(), heads_, forward_workspace_.data(), watch());
  }
  void backward_data() const { heads_backward_data(context_, shape_, heads_, dfeatures_.data()); }
  void backward_weights() const {
    heads_backward_weights(context_, shape_, features_.data(), heads_, weights_workspace_.data(),
                           watch());
  }

  HeadsResult read() const {
    HeadsResult result{shape_, features_.read(), dfeatures_.read(), {}};
    for (int h = 0; h < shape_.num_heads; ++h) {
      const HeadShape& sizes = shape_.heads[h];
      const HeadTensors& from = heads_[static_cast<std::size_t>(h)];
      HeadResult& to = result.heads.emplace_back();
      for (int l = 0; l < sizes.num_layers; ++l) {
        const std::int64_t width = sizes.widths[l], weights = width * shape_.inputs(h, l);
        to.weights[l] = read(from.weights[l], weights);
        to.biases[l] = read(from.biases[l], width);
        if (l + 1 < sizes.num_layers) to.hidden[l] = read(from.hidden[l], sizes.rows * width);
        to.dlayers[l] = read(from.dlayers[l], sizes.rows * width);
        to.dweights[l] = read(from.dweights[l], weights);
        to.dbiases[l] = read(from.dbiases[l], width);
      }
      to.loss = read(from.loss, 1);
      if (from.classes != nullptr) to.classes = read(from.classes, sizes.rows);
      to.ranges.assign(from.ranges, from.ranges + from.num_ranges);
    }
    return result;
  }

 private:
  GradientWatch watch() const { return {state_.data(), gradients_->data()}; }

  Array<float> floats(std::int64_t size) {
    return Array<float>(context_, many_random_floats(size, ++seed_));
  }
  float* keep(Array<float> array) {
    arrays_.push_back(std::move(array));
    return arrays_.back().data();
  }

  // next: where its gradients lie, in the order of a training step: weights before biases.
  void add_head(int h, float*& next) {
    const HeadShape& sizes = shape_.heads[h];
    HeadTensors head;
    for (int l = 0; l < sizes.num_layers; ++l) {
      const std::int64_t weights = sizes.widths[l] * shape_.inputs(h, l);
      head.weights[l] = keep(floats(weights));
      head.biases[l] = keep(floats(sizes.widths[l]));
      if (l + 1 < sizes.num_layers) {
        head.hidden[l] = keep(Array<float>(context_, sizes.rows * sizes.widths[l]));
      }
      head.dlayers[l] = keep(Array<float>(context_, sizes.rows * sizes.widths[l]));
      head.dweights[l] = next;
      head.dbiases[l] = next + weights;
      next += weights + sizes.widths[l];
    }
    head.loss = keep(Array<float>(context_, 1));
    head.correct = keep(Array<float>(context_, 1));
    const auto one_over = [](std::int64_t rows) {
      return 1.0F / static_cast<float>(std::max<std::int64_t>(rows, 1));
    };
    if (sizes.loss == HeadLoss::kSoftmaxCrossEntropy) {
      classes_.push_back(
          Array<std::int32_t>(context_, random_labels(sizes.rows, sizes.num_logits(), ++seed_)));
      head.classes = classes_.back().data();
      head.num_ranges = 1;
      head.ranges[0] = {sizes.rows, {one_over(sizes.rows)}, 0};
    } else {
      const std::int64_t first = sizes.rows - sizes.rows / 2, second = sizes.rows / 2;
      head.num_ranges = 2;
      head.ranges[0] = {first, {one_over(first)}, 0};
      head.ranges[1] = {second, {one_over(second)}, 1};
      head.input_scale = {-1.0F, lambda_.data()};
    }
    heads_.push_back(head);
  }

  template <typename T>
  std::vector<T> read(const T* data, std::int64_t size) const {
    std::vector<T> values(static_cast<std::size_t>(size));
    copy_to_host(context_, values.data(), data, size * static_cast<std::int64_t>(sizeof(T)));
    return values;
  }

  Ctx context_;
  HeadsShape shape_;
  std::uint64_t seed_ = 0;
  Array<float> features_, lambda_, dfeatures_;
  Array<StepState> state_;
  Array<std::uint8_t> forward_workspace_, weights_workspace_;
  std::unique_ptr<Array<float>> gradients_;
  std::vector<Array<float>> arrays_;
  std::vector<Array<std::int32_t>> classes_;
  std::vector<HeadTensors> heads_;
};

}  // namespace gradflip::bench
