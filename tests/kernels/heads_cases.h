// Heads for the tests of kernels/heads.h: shapes, their inputs, and a run of the three kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/heads.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/heads.h"

namespace gradflip {

struct HeadInput {
  std::vector<float> weights[kMaxHeadLayers], biases[kMaxHeadLayers];
  bool has_labels = false;
  std::vector<std::int32_t> classes;
  std::vector<float> targets;
  std::vector<HeadRange> ranges;  // their Scale::times is put in where it is uploaded
  float times = 1.0F;             // of every range
  float input_factor = 1.0F, input_times = 1.0F;
};

struct HeadOutput {
  std::vector<float> loss, correct;
  std::vector<float> hidden[kMaxHeadLayers - 1], dlayers[kMaxHeadLayers];
  std::vector<float> dweights[kMaxHeadLayers], dbiases[kMaxHeadLayers];

  bool operator==(const HeadOutput&) const = default;
};

struct HeadsOutput {
  std::vector<HeadOutput> heads;
  std::vector<float> dfeatures;
  std::vector<std::uint32_t> tickets;
  std::uint64_t first_non_finite = 0;

  bool operator==(const HeadsOutput&) const = default;
};

struct HeadsInput {
  HeadsShape shape;
  std::vector<float> features;
  std::vector<HeadInput> heads;
};

// Softmax heads have labels in memory, binary ones the numbers 0 and 1 of two ranges;
// `other_labels` turns that round.
inline HeadsInput heads_input(const HeadsShape& shape, bool other_labels = false) {
  HeadsInput input{shape, random_floats(shape.rows * shape.features, 1), {}};
  std::uint64_t seed = 2;
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& sizes = shape.heads[h];
    HeadInput head;
    for (int l = 0; l < sizes.num_layers; ++l) {
      head.weights[l] = random_floats(sizes.widths[l] * shape.inputs(h, l), seed++);
      head.biases[l] = random_floats(sizes.widths[l], seed++);
    }
    const bool is_binary = sizes.loss == HeadLoss::kBceWithLogits;
    head.has_labels = is_binary == other_labels;
    head.classes = random_labels(sizes.rows, sizes.num_logits(), seed++);
    head.targets = random_floats(sizes.rows, seed++);
    for (float& target : head.targets) target = target > 0.3F ? 1.0F : target < -0.3F ? 0.0F : 0.4F;
    const std::int64_t first = sizes.rows / 3;
    const auto second_label = static_cast<std::int32_t>(is_binary ? 1 : sizes.num_logits() - 1);
    head.ranges = {{first, {0.5F / 7.0F}, 0}, {sizes.rows - first, {-0.25F}, second_label}};
    head.times = h % 2 == 0 ? 1.5F : 1.0F;
    head.input_factor = h % 2 == 0 ? 1.0F : -1.0F;
    head.input_times = h % 2 == 0 ? 1.0F : 0.5F;
    input.heads.push_back(std::move(head));
  }
  return input;
}

inline reference::HeadLabels labels_of(const HeadShape& sizes, const HeadInput& head) {
  reference::HeadLabels labels;
  for (const HeadRange& range : head.ranges) {
    labels.weights.insert(labels.weights.end(), static_cast<std::size_t>(range.rows),
                          static_cast<double>(range.scale.factor) * head.times);
    labels.classes.insert(labels.classes.end(), static_cast<std::size_t>(range.rows), range.label);
    labels.targets.insert(labels.targets.end(), static_cast<std::size_t>(range.rows), range.label);
  }
  if (head.has_labels) {
    labels.classes = head.classes;
    labels.targets = reference::widen(head.targets);
  }
  EXPECT_EQ(labels.weights.size(), static_cast<std::size_t>(sizes.rows));
  return labels;
}

template <typename Ctx>
class HeadsTest : public BackendTest<Ctx> {
 protected:
  template <typename T>
  using Memory = std::vector<std::unique_ptr<GuardedBuffer<T, Ctx>>>;

  // All three kernels. Gradients of parameters lie one after the other, as in a training step:
  // head by head, layer by layer, weights before biases.
  HeadsOutput run(const HeadsInput& input, Base base = Base::kAligned) {
    const HeadsShape& shape = input.shape;
    floats_.clear();
    classes_.clear();
    std::vector<HeadTensors> heads;
    std::int64_t parameters = 0;
    for (int h = 0; h < shape.num_heads; ++h) {
      heads.push_back(tensors_of(input, h, base));
      for (int l = 0; l < shape.heads[h].num_layers; ++l) {
        parameters += shape.heads[h].widths[l] * (shape.inputs(h, l) + 1);
      }
    }
    float* gradients = add_output(parameters, base);
    float* next = gradients;
    for (int h = 0; h < shape.num_heads; ++h) {
      for (int l = 0; l < shape.heads[h].num_layers; ++l) {
        heads[static_cast<std::size_t>(h)].dweights[l] = next;
        next += shape.heads[h].widths[l] * shape.inputs(h, l);
        heads[static_cast<std::size_t>(h)].dbiases[l] = next;
        next += shape.heads[h].widths[l];
      }
    }
    const float* features = add_input(input.features, base);
    float* dfeatures = add_output(shape.rows * shape.features, base);
    auto state = this->upload(std::vector<StepState>{StepState{}});
    const GradientWatch watch{state.data(), gradients};
    {
      auto workspace =
          this->template poisoned<std::uint8_t>(heads_forward_workspace_bytes(this->ctx(), shape));
      heads_forward(this->ctx(), shape, features, heads, workspace.data(), watch);
      EXPECT_TRUE(workspace.guards_intact());
    }
    heads_backward_data(this->ctx(), shape, heads, dfeatures);
    auto workspace = this->template poisoned<std::uint8_t>(
        heads_backward_weights_workspace_bytes(this->ctx(), shape));
    heads_backward_weights(this->ctx(), shape, features, heads, workspace.data(), watch);
    return read(shape, heads, dfeatures, state.read().front());
  }

 private:
  const float* add_input(const std::vector<float>& contents, Base base) {
    floats_.push_back(std::make_unique<GuardedBuffer<float, Ctx>>(contents, base));
    return floats_.back()->data();
  }
  float* add_output(std::int64_t size, Base base) {
    floats_.push_back(std::make_unique<GuardedBuffer<float, Ctx>>(size, base));
    return floats_.back()->data();
  }

  HeadTensors tensors_of(const HeadsInput& input, int h, Base base) {
    const HeadShape& sizes = input.shape.heads[h];
    const HeadInput& from = input.heads[static_cast<std::size_t>(h)];
    HeadTensors head;
    for (int l = 0; l < sizes.num_layers; ++l) {
      head.weights[l] = add_input(from.weights[l], base);
      head.biases[l] = add_input(from.biases[l], base);
      if (l + 1 < sizes.num_layers) head.hidden[l] = add_output(sizes.rows * sizes.widths[l], base);
      head.dlayers[l] = add_output(sizes.rows * sizes.widths[l], base);
    }
    if (from.has_labels && sizes.loss == HeadLoss::kBceWithLogits) {
      head.targets = add_input(from.targets, base);
    } else if (from.has_labels) {
      classes_.push_back(std::make_unique<GuardedBuffer<std::int32_t, Ctx>>(from.classes));
      head.classes = classes_.back()->data();
    }
    for (const HeadRange& range : from.ranges) {
      head.ranges[head.num_ranges] = range;
      if (from.times != 1.0F) {
        head.ranges[head.num_ranges].scale.times = add_input({from.times}, base);
      }
      ++head.num_ranges;
    }
    head.loss = add_output(1, base);
    head.correct = add_output(1, base);
    head.input_scale = {from.input_factor, add_input({from.input_times}, base)};
    return head;
  }

  // What lies at `data`, an output or a part of one.
  std::vector<float> contents(const float* data, std::int64_t size) const {
    std::vector<float> result(static_cast<std::size_t>(size));
    Backend<Ctx>::copy_to_host(result.data(), data, result.size() * sizeof(float));
    return result;
  }

  HeadsOutput read(const HeadsShape& shape, const std::vector<HeadTensors>& heads,
                   const float* dfeatures, const StepState& state) const {
    HeadsOutput output;
    for (int h = 0; h < shape.num_heads; ++h) {
      const HeadShape& sizes = shape.heads[h];
      const HeadTensors& head = heads[static_cast<std::size_t>(h)];
      HeadOutput to;
      to.loss = contents(head.loss, 1);
      to.correct = contents(head.correct, 1);
      for (int l = 0; l < sizes.num_layers; ++l) {
        const std::int64_t width = sizes.widths[l];
        if (l + 1 < sizes.num_layers) to.hidden[l] = contents(head.hidden[l], sizes.rows * width);
        to.dlayers[l] = contents(head.dlayers[l], sizes.rows * width);
        to.dweights[l] = contents(head.dweights[l], width * shape.inputs(h, l));
        to.dbiases[l] = contents(head.dbiases[l], width);
      }
      output.heads.push_back(std::move(to));
    }
    output.dfeatures = contents(dfeatures, shape.rows * shape.features);
    output.tickets.assign(state.tickets, state.tickets + kMaxTickets);
    output.first_non_finite = state.first_non_finite;
    return output;
  }

  Memory<float> floats_;
  Memory<std::int32_t> classes_;
};

}  // namespace gradflip
