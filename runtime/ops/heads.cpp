#include "runtime/ops/heads.h"

#include <algorithm>
#include <memory>

#include "runtime/op.h"
#include "runtime/ops/heads_plan.h"

namespace gradflip::ops {
namespace {

HeadsShape sizes_of(const Graph& graph, Value features, std::span<const Head> heads, Math math) {
  HeadsShape shape;
  shape.features = graph.type(features).shape.size();
  shape.num_heads = static_cast<int>(heads.size());
  shape.math = math;
  for (std::size_t h = 0; h < std::min<std::size_t>(heads.size(), kMaxHeads); ++h) {
    HeadShape& head = shape.heads[h];
    head.num_layers = static_cast<int>(heads[h].layers.size());
    for (std::size_t l = 0; l < std::min<std::size_t>(heads[h].layers.size(), kMaxHeadLayers);
         ++l) {
      head.widths[l] = graph.type(heads[h].layers[l].weight).shape[0];
    }
    head.loss = heads[h].loss;
    head.label_smoothing = heads[h].label_smoothing;
  }
  return shape;
}

// Outputs: the losses, the counts, then for each head its hidden layers and its layers' gradients.
class Heads final : public Op {
 public:
  explicit Heads(SharedPlan plan) : plan_(std::move(plan)) {}

  const HeadsPlan& plan() const { return *plan_; }

  std::string_view name() const override { return "heads"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::size_t num_losses() const override { return plan_->heads.size(); }
  bool is_constant(int output) const override {  // the counts
    const auto heads = static_cast<int>(plan_->heads.size());
    return output >= heads && output < 2 * heads;
  }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && inputs.size() == plan_->num_inputs,
                     message("heads: features ", inputs[0].text()));
    require_valid(plan_->shape);
    std::vector<ValueType> types(2 * plan_->heads.size(), {Dtype::kF32, {}, {}});
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) {
      require_head(inputs, h);
      const HeadShape& sizes = plan_->shape.heads[h];
      const auto add_layers = [&](int count) {
        for (int l = 0; l < count; ++l) {
          types.push_back({Dtype::kF32, {sizes.widths[l]}, plan_->heads[h].rows});
        }
      };
      add_layers(sizes.num_layers - 1);
      add_layers(sizes.num_layers);
    }
    return types;
  }

  // Forward through all layers, and back through all but the first.
  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    std::vector<std::int64_t> rows;
    for (const HeadPlan& head : plan_->heads) rows.push_back(outputs[head.dlayers].rows);
    OpCost cost = layers_cost(*plan_, rows, /*first_layers_only=*/false, inputs, outputs);
    cost.flops *= 2.0;
    cost.flops -= layers_cost(*plan_, rows, /*first_layers_only=*/true, {}, {}).flops;
    cost.nonzero_flops = cost.flops;
    return cost;
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    std::vector<Value> dinputs(request.node.inputs.size());
    if (request.wanted[0] != 0) dinputs[0] = append_backward_data(request);
    append_backward_weights(request, dinputs);
    return dinputs;
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> /*inputs*/,
                               std::int64_t rows) const override {
    return std::visit(
        [&](auto ctx) { return heads_forward_workspace_bytes(ctx, shape_of(*plan_, rows)); },
        context);
  }

  void run(const Launch& launch) const override {
    const HeadsShape shape = shape_of(*plan_, launch);
    HeadTensorsArray heads;
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) fill_tensors(launch, h, heads[h]);
    dispatch(launch, [&](auto ctx) {
      heads_forward(ctx, shape, launch.in<float>(0), used(heads, *plan_), launch.workspace,
                    launch.watch);
    });
  }

 private:
  void require_head(std::span<const ValueType> inputs, std::size_t h) const {
    const HeadPlan& head = plan_->heads[h];
    const HeadShape& sizes = plan_->shape.heads[h];
    GRADFLIP_REQUIRE(!head.rows.none() && plan_->rows.contains(head.rows),
                     "heads: a head reads rows that the features do not have");
    for (int l = 0; l < sizes.num_layers; ++l) {
      const std::size_t at = head.parameters + 2 * static_cast<std::size_t>(l);
      const std::int64_t width = sizes.widths[l];
      const Shape weight{width, plan_->shape.inputs(static_cast<int>(h), l)};
      GRADFLIP_REQUIRE(inputs[at] == (ValueType{Dtype::kF32, weight, {}}) &&
                           inputs[at + 1] == (ValueType{Dtype::kF32, {width}, {}}),
                       message("heads: weight ", inputs[at].text(), " and bias ",
                               inputs[at + 1].text(), " do not fit"));
    }
    const Dtype labels = sizes.loss == HeadLoss::kSoftmaxCrossEntropy ? Dtype::kI32 : Dtype::kF32;
    GRADFLIP_REQUIRE(head.labels == 0 || inputs[head.labels] == (ValueType{labels, {}, head.rows}),
                     message("heads: labels ", inputs[head.labels].text()));
    for (const std::size_t scalar : {head.times, head.reversal}) {
      GRADFLIP_REQUIRE(scalar == 0 || inputs[scalar] == (ValueType{Dtype::kF32, {}, {}}),
                       "heads: times and reversal must be f32 scalars");
    }
  }

  void fill_tensors(const Launch& launch, std::size_t h, HeadTensors& head) const {
    const HeadPlan& plan = plan_->heads[h];
    const HeadShape& sizes = plan_->shape.heads[h];
    for (int l = 0; l < sizes.num_layers; ++l) {
      const auto layer = static_cast<std::size_t>(l);
      head.weights[l] = launch.in<float>(plan.parameters + 2 * layer);
      head.biases[l] = launch.in<float>(plan.parameters + 2 * layer + 1);
      if (l + 1 < sizes.num_layers) head.hidden[l] = launch.out<float>(plan.hidden + layer);
      head.dlayers[l] = launch.out<float>(plan.dlayers + layer);
    }
    if (plan.labels != 0 && sizes.loss == HeadLoss::kSoftmaxCrossEntropy) {
      head.classes = launch.in<std::int32_t>(plan.labels);
    } else if (plan.labels != 0) {
      head.targets = launch.in<float>(plan.labels);
    }
    static_assert(kMaxHeadRanges >= kMaxSegments);
    const float* times = plan.times == 0 ? nullptr : launch.in<float>(plan.times);
    for_each_weighed_segment(launch.segments, plan.rows, plan.weights,
                             [&](const WeighedSegment& segment) {
                               head.ranges[head.num_ranges++] = {
                                   segment.count,
                                   {segment.weight, times},
                                   plan.numbers[static_cast<std::size_t>(segment.segment)]};
                             });
    head.loss = launch.out<float>(h);
    head.correct = launch.out<float>(plan_->heads.size() + h);
  }

  Value append_backward_data(const GradientRequest& request) const {
    const Node& node = request.node;
    std::vector<Value> inputs;
    for (const HeadPlan& head : plan_->heads) {
      inputs.push_back(node.outputs[head.dlayers]);
      inputs.push_back(node.inputs[head.parameters]);
    }
    for (const HeadPlan& head : plan_->heads) {
      if (head.reversal != 0) inputs.push_back(node.inputs[head.reversal]);
    }
    const Shape features = request.graph.type(node.inputs[0]).shape;
    return request.graph.append_one(heads_backward_data_op(plan_, features), std::move(inputs));
  }

  void append_backward_weights(const GradientRequest& request, std::vector<Value>& dinputs) const {
    const Node& node = request.node;
    std::vector<HeadParameter> wanted;
    std::vector<std::size_t> wanted_inputs;
    std::vector<Value> inputs{node.inputs[0]};
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) {
      const HeadPlan& head = plan_->heads[h];
      const auto layers = static_cast<std::size_t>(plan_->shape.heads[h].num_layers);
      for (std::size_t i = 0; i < 2 * layers; ++i) {
        if (request.wanted[head.parameters + i] == 0) continue;
        wanted.push_back({h, i / 2, i % 2 == 1});
        wanted_inputs.push_back(head.parameters + i);
      }
      for (std::size_t i = 0; i + 1 < layers; ++i) inputs.push_back(node.outputs[head.hidden + i]);
      for (std::size_t i = 0; i < layers; ++i) inputs.push_back(node.outputs[head.dlayers + i]);
    }
    if (wanted.empty()) return;
    const std::vector<Value> sums = request.graph.append(
        heads_backward_weights_op(plan_, std::move(wanted)), std::move(inputs));
    for (std::size_t i = 0; i < sums.size(); ++i) dinputs[wanted_inputs[i]] = sums[i];
  }

  SharedPlan plan_;
};

}  // namespace

Misfit heads_misfit(const Graph& graph, Value features, std::span<const Head> heads) {
  return gradflip::heads_misfit(sizes_of(graph, features, heads, Math::kF32));
}

std::optional<HeadsNode> heads_node(const Node& node) {
  const auto* heads = dynamic_cast<const Heads*>(node.op.get());
  if (heads == nullptr) return std::nullopt;
  const HeadsPlan& plan = heads->plan();
  HeadsNode found{.features = node.inputs[0],
                  .num_heads = plan.heads.size(),
                  .layers = static_cast<std::size_t>(plan.shape.heads[0].num_layers),
                  .math = plan.shape.math};
  for (const HeadPlan& head : plan.heads) {
    found.sees_views = found.sees_views || head.reversal != 0 || !(head.rows == plan.rows);
  }
  return found;
}

std::vector<HeadValues> heads(Graph& graph, Value features, std::span<const Head> heads,
                              Math math) {
  auto plan = std::make_shared<HeadsPlan>();
  plan->shape = sizes_of(graph, features, heads, math);
  plan->rows = graph.type(features).rows;
  std::vector<Value> inputs{features};
  const auto add_input = [&](Value value) -> std::size_t {
    if (value.none()) return 0;
    inputs.push_back(value);
    return inputs.size() - 1;
  };
  std::size_t output = 2 * heads.size();
  for (const Head& head : heads) {
    HeadPlan to{head.rows, head.weights, head.numbers};
    to.parameters = inputs.size();
    for (const HeadLayer& layer : head.layers) {
      add_input(layer.weight);
      add_input(layer.bias);
    }
    to.labels = add_input(head.labels);
    to.times = add_input(head.times);
    to.reversal = add_input(head.reversal);
    to.hidden = output;
    to.dlayers = output + head.layers.size() - 1;
    output = to.dlayers + head.layers.size();
    plan->heads.push_back(to);
  }
  plan->num_inputs = inputs.size();
  const std::vector<Value> outputs =
      graph.append(std::make_shared<const Heads>(std::move(plan)), std::move(inputs));
  std::vector<HeadValues> values;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    values.push_back({outputs[h], outputs[heads.size() + h]});
  }
  return values;
}

}  // namespace gradflip::ops
