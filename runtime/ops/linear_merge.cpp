#include "runtime/ops/linear_merge.h"

#include <array>

#include "kernels/gemm.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

constexpr std::size_t kMaxTerms = kMaxGemmTerms;

// Inputs: dy and weight of each term, then the reversals of those that have one.
class LinearMerge final : public OpWith<LinearMergeAttributes> {
 public:
  struct Term {
    Rows rows;
    std::size_t reversal_input = 0;  // 0: none
  };

  LinearMerge(const LinearMergeAttributes& attributes, std::vector<Term> terms, Rows rows,
              const Shape& shape)
      : OpWith(attributes), terms_(std::move(terms)), rows_(rows), shape_(shape) {}

  std::string_view name() const override { return "linear_merge"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(!terms_.empty() && terms_.size() <= kMaxTerms,
                     message("linear_merge: ", terms_.size(), " terms"));
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      const ValueType& dy = inputs[2 * i];
      const ValueType& weight = inputs[2 * i + 1];
      GRADFLIP_REQUIRE(rows_.contains(dy.rows) && weight.shape.rank() == 2 &&
                           dy.shape.size() == weight.shape[0] && shape_.size() == weight.shape[1],
                       message("linear_merge: dy ", dy.text(), " and weight ", weight.text(),
                               " do not give ", shape_.text()));
    }
    return {{Dtype::kF32, shape_, rows_}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    double flops = 0.0;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      flops += 2.0 * static_cast<double>(inputs[2 * i].rows * inputs[2 * i + 1].shape.size());
    }
    return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
  }

  void run(const Launch& launch) const override {
    std::array<GemmTerm, kMaxTerms> terms;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      const TensorView& dy = launch.inputs[2 * i];
      terms[i] = {.a = launch.in<float>(2 * i),
                  .b = launch.in<float>(2 * i + 1),
                  .row_begin = rows_before(launch, terms_[i].rows),
                  .M = dy.rows,
                  .K = dy.shape.size(),
                  .scale = {}};
      if (terms_[i].reversal_input != 0) {
        terms[i].scale = {-1.0F, launch.in<float>(terms_[i].reversal_input)};
      }
    }
    dispatch(launch, [&](auto ctx) {
      gemm_terms(ctx, launch.outputs[0].rows, shape_.size(), std::span(terms.data(), terms_.size()),
                 attributes().math, launch.out<float>(0));
    });
  }

 private:
  // Rows of the result ahead of a term's first segment.
  std::int64_t rows_before(const Launch& launch, Rows term) const {
    std::int64_t before = 0;
    for (std::size_t segment = 0; segment < launch.segments.size(); ++segment) {
      if (term.contains_segment(static_cast<int>(segment))) break;
      if (rows_.contains_segment(static_cast<int>(segment)))
        before += launch.segments[segment].count;
    }
    return before;
  }

  std::vector<Term> terms_;
  Rows rows_;
  Shape shape_;
};

}  // namespace

Value linear_merge(Graph& graph, std::span<const LinearGradientTerm> terms, Rows rows,
                   const Shape& shape, Math math) {
  std::vector<Value> inputs;
  std::vector<LinearMerge::Term> placed;
  for (const LinearGradientTerm& term : terms) {
    inputs.push_back(term.dy);
    inputs.push_back(term.weight);
    placed.push_back({graph.type(term.dy).rows, 0});
  }
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].reversal.none()) continue;
    placed[i].reversal_input = inputs.size();
    inputs.push_back(terms[i].reversal);
  }
  const LinearMergeAttributes attributes{terms.size(), math, inputs.size() > 2 * terms.size()};
  return graph.append_one(
      std::make_shared<const LinearMerge>(attributes, std::move(placed), rows, shape),
      std::move(inputs));
}

}  // namespace gradflip::ops
