#include "runtime/ops/heads_plan.h"

namespace gradflip::ops {
namespace {

class HeadsBackwardData final : public Op {
 public:
  HeadsBackwardData(SharedPlan plan, const Shape& features)
      : plan_(std::move(plan)), features_(features) {}

  std::string_view name() const override { return "heads_backward_data"; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, features_, plan_->rows}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    std::vector<std::int64_t> rows;
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) rows.push_back(inputs[2 * h].rows);
    return layers_cost(*plan_, rows, /*first_layers_only=*/true, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    HeadTensorsArray heads;
    std::size_t reversal = 2 * plan_->heads.size();
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) {
      heads[h].dlayers[0] = const_cast<float*>(launch.in<float>(2 * h));
      heads[h].weights[0] = launch.in<float>(2 * h + 1);
      if (plan_->heads[h].reversal != 0) {
        heads[h].input_scale = {-1.0F, launch.in<float>(reversal++)};
      }
    }
    dispatch(launch, [&](auto ctx) {
      heads_backward_data(ctx, shape_of(*plan_, launch), used(heads, *plan_), launch.out<float>(0));
    });
  }

 private:
  SharedPlan plan_;
  Shape features_;
};

class HeadsBackwardWeights final : public Op {
 public:
  HeadsBackwardWeights(SharedPlan plan, std::vector<HeadParameter> wanted)
      : plan_(std::move(plan)), wanted_(std::move(wanted)) {}

  std::string_view name() const override { return "heads_backward_weights"; }
  bool watches_gradients() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    std::vector<ValueType> types;
    for (const HeadParameter& parameter : wanted_) {
      const auto head = static_cast<int>(parameter.head), layer = static_cast<int>(parameter.layer);
      const std::int64_t width = plan_->shape.heads[head].widths[layer];
      const Shape shape =
          parameter.is_bias ? Shape{width} : Shape{width, plan_->shape.inputs(head, layer)};
      types.push_back({Dtype::kF32, shape, {}});
    }
    return types;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    std::vector<std::int64_t> rows;
    std::size_t input = 1;  // the first of a head's, which all have its rows
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) {
      rows.push_back(inputs[input].rows);
      input += 2 * static_cast<std::size_t>(plan_->shape.heads[h].num_layers) - 1;
    }
    return layers_cost(*plan_, rows, /*first_layers_only=*/false, inputs, outputs);
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> /*inputs*/,
                               std::int64_t rows) const override {
    return std::visit(
        [&](auto ctx) {
          return heads_backward_weights_workspace_bytes(ctx, shape_of(*plan_, rows));
        },
        context);
  }

  void run(const Launch& launch) const override {
    HeadTensorsArray heads;
    std::size_t input = 1;
    for (std::size_t h = 0; h < plan_->heads.size(); ++h) {
      const int layers = plan_->shape.heads[h].num_layers;
      for (int l = 0; l + 1 < layers; ++l) {
        heads[h].hidden[l] = const_cast<float*>(launch.in<float>(input++));
      }
      for (int l = 0; l < layers; ++l) {
        heads[h].dlayers[l] = const_cast<float*>(launch.in<float>(input++));
      }
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      HeadTensors& head = heads[wanted_[i].head];
      (wanted_[i].is_bias ? head.dbiases : head.dweights)[wanted_[i].layer] = launch.out<float>(i);
    }
    dispatch(launch, [&](auto ctx) {
      heads_backward_weights(ctx, shape_of(*plan_, launch), launch.in<float>(0),
                             used(heads, *plan_), launch.workspace, launch.watch);
    });
  }

 private:
  SharedPlan plan_;
  std::vector<HeadParameter> wanted_;
};

}  // namespace

OpCost layers_cost(const HeadsPlan& plan, std::span<const std::int64_t> rows,
                   bool first_layers_only, std::span<const TensorView> inputs,
                   std::span<const TensorView> outputs) {
  double flops = 0.0;
  for (std::size_t h = 0; h < plan.heads.size(); ++h) {
    const auto head = static_cast<int>(h);
    const int layers = first_layers_only ? 1 : plan.shape.heads[h].num_layers;
    for (int l = 0; l < layers; ++l) {
      flops += 2.0 * static_cast<double>(rows[h] * plan.shape.heads[h].widths[l] *
                                         plan.shape.inputs(head, l));
    }
  }
  return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
}

HeadsShape shape_of(const HeadsPlan& plan, const Launch& launch) {
  HeadsShape shape = plan.shape;
  for (int h = 0; h < shape.num_heads; ++h) {
    shape.heads[h].row_begin = shape.heads[h].rows = 0;
  }
  for (std::size_t s = 0; s < launch.segments.size(); ++s) {
    const SegmentRange& range = launch.segments[s];
    const auto segment = static_cast<int>(s);
    if (!plan.rows.contains_segment(segment)) continue;
    GRADFLIP_REQUIRE(range.count == range.total && launch.write == Write::kOverwrite,
                     "heads: the batch is cut; run them where batches stay whole");
    for (int h = 0; h < shape.num_heads; ++h) {
      HeadShape& head = shape.heads[h];
      if (plan.heads[static_cast<std::size_t>(h)].rows.contains_segment(segment)) {
        head.rows += range.count;
      } else if (head.rows == 0) {
        head.row_begin += range.count;  // rows of the features ahead of the head's
      }
    }
    shape.rows += range.count;
  }
  return shape;
}

HeadsShape shape_of(const HeadsPlan& plan, std::int64_t rows) {
  HeadsShape shape = plan.shape;
  shape.rows = rows;
  for (int h = 0; h < shape.num_heads; ++h) shape.heads[h].rows = rows;
  return shape;
}

std::shared_ptr<const Op> heads_backward_data_op(SharedPlan plan, const Shape& features) {
  return std::make_shared<const HeadsBackwardData>(std::move(plan), features);
}

std::shared_ptr<const Op> heads_backward_weights_op(SharedPlan plan,
                                                    std::vector<HeadParameter> wanted) {
  return std::make_shared<const HeadsBackwardWeights>(std::move(plan), std::move(wanted));
}

}  // namespace gradflip::ops
