#include "runtime/ops/count_correct.h"

#include "kernels/count_correct.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class CountCorrect final : public OpWith<CountCorrectAttributes> {
 public:
  std::string_view name() const override { return "count_correct"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && inputs[0].shape.rank() == 1 &&
                         inputs[1] == (ValueType{Dtype::kI32, {}, inputs[0].rows}),
                     message("count_correct: logits ", inputs[0].text(), ", labels ",
                             inputs[1].text(), " do not fit"));
    return {{Dtype::kF32, {}, {}}};
  }

  void run(const Launch& launch) const override {
    const TensorView& logits = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      count_correct(ctx, logits.rows, logits.shape[0], launch.in<float>(0),
                    launch.in<std::int32_t>(1), launch.write, launch.out<float>(0));
    });
  }
};

class CountCorrectBinary final : public OpWith<CountCorrectBinaryAttributes> {
 public:
  std::string_view name() const override { return "count_correct_binary"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && inputs[0].shape == Shape{1} &&
                         inputs[1] == (ValueType{Dtype::kF32, {}, inputs[0].rows}),
                     message("count_correct_binary: logits ", inputs[0].text(), ", labels ",
                             inputs[1].text(), " do not fit"));
    return {{Dtype::kF32, {}, {}}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      count_correct_binary(ctx, launch.inputs[0].rows, launch.in<float>(0), launch.in<float>(1),
                           launch.write, launch.out<float>(0));
    });
  }
};

}  // namespace

Value count_correct(Graph& graph, Value logits, Value labels) {
  return graph.append_one(std::make_shared<const CountCorrect>(), {logits, labels});
}

Value count_correct_binary(Graph& graph, Value logits, Value labels) {
  return graph.append_one(std::make_shared<const CountCorrectBinary>(), {logits, labels});
}

}  // namespace gradflip::ops
