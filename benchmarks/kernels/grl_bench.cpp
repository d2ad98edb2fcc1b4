// Where label predictor and domain classifier meet: the gradient of their common features,
//
//   dF = dH_label W_label - lambda dH_domain W_domain
//
// fused (gemm_terms: lambda is a factor of one term), and as the reference composes it: two
// products, the reversal, and their sum. The reversal alone stands beside them.
#include <array>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/grl.h"
#include "tests/support/reference/gemm.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr float kLambda = 0.7F;

// Half of the rows are labelled, as in the paper; those come first.
struct MergeShape {
  std::int64_t rows = 0, labelled_rows = 0, features = 0, label_width = 0, domain_width = 0;
  Math math = Math::kF32;
};

MergeShape merge_shape(const DannShapes& shapes, std::int64_t batch, Math math) {
  return {batch,
          batch / 2,
          shapes.features,
          shapes.linear("label_predictor.fc1").out_features,
          shapes.linear("domain_classifier.fc1").out_features,
          math};
}

template <typename Ctx>
struct MergeArrays {
  MergeArrays(Ctx ctx, const MergeShape& shape)
      : context(ctx),
        dlabel(ctx, many_random_floats(shape.labelled_rows * shape.label_width, 1)),
        ddomain(ctx, many_random_floats(shape.rows * shape.domain_width, 2)),
        label_weight(ctx, many_random_floats(shape.label_width * shape.features, 3)),
        domain_weight(ctx, many_random_floats(shape.domain_width * shape.features, 4)),
        lambda(ctx, std::vector<float>{kLambda}),
        dfeatures(ctx, shape.rows * shape.features),
        label_part(ctx, shape.labelled_rows * shape.features) {}

  void fused(const MergeShape& shape) const {
    const std::array<GemmTerm, 2> terms{
        {{dlabel.data(), label_weight.data(), 0, shape.labelled_rows, shape.label_width, Scale{}},
         {ddomain.data(), domain_weight.data(), 0, shape.rows, shape.domain_width,
          Scale{-1.0F, lambda.data()}}}};
    gemm_terms(context, shape.rows, shape.features, terms, shape.math, dfeatures.data());
  }

  void composed(const MergeShape& shape) const {
    gemm(context, {shape.rows, shape.features, shape.domain_width, false, false, shape.math},
         Scale{}, ddomain.data(), domain_weight.data(), Write::kOverwrite, dfeatures.data());
    reverse(shape);
    gemm(context,
         {shape.labelled_rows, shape.features, shape.label_width, false, false, shape.math},
         Scale{}, dlabel.data(), label_weight.data(), Write::kOverwrite, label_part.data());
    binary(context, shape.labelled_rows * shape.features, Binary::kAdd, label_part.data(),
           dfeatures.data(), dfeatures.data());
  }

  void reverse(const MergeShape& shape) const {
    grl_backward(context, shape.rows * shape.features, Scale{1.0F, lambda.data()}, dfeatures.data(),
                 dfeatures.data());
  }

  Ctx context;
  Array<float> dlabel, ddomain, label_weight, domain_weight, lambda, dfeatures, label_part;
};

template <typename Ctx>
using Run = void (MergeArrays<Ctx>::*)(const MergeShape&) const;

template <typename Ctx>
std::string check(Ctx ctx, const MergeShape& shape, Run<Ctx> run) {
  const MergeArrays<Ctx> arrays(ctx, shape);
  (arrays.*run)(shape);
  const reference::Sums want =
      reference::gemm_terms(shape.rows, shape.features,
                            {{widen(arrays.dlabel.read()), widen(arrays.label_weight.read()), 0,
                              shape.labelled_rows, shape.label_width, 1.0},
                             {widen(arrays.ddomain.read()), widen(arrays.domain_weight.read()), 0,
                              shape.rows, shape.domain_width, -static_cast<double>(kLambda)}});
  return differences("dfeatures", arrays.dfeatures.read(), want, sum_tolerance(shape.math));
}

Work merge_work(const MergeShape& shape) {
  const auto features = static_cast<double>(shape.features);
  const auto label = static_cast<double>(shape.labelled_rows * shape.label_width);
  const auto domain = static_cast<double>(shape.rows * shape.domain_width);
  const auto weights = static_cast<double>(shape.label_width + shape.domain_width) * features;
  return {2.0 * (label + domain) * features,
          4.0 * (label + domain + weights + static_cast<double>(shape.rows) * features)};
}

template <typename Ctx>
void add_merge(Suite& suite, Ctx ctx, std::int64_t batch, Math math) {
  const MergeShape shape = merge_shape(suite.shapes, batch, math);
  const MergeShape small = merge_shape(suite.shapes, 34, math);
  const auto add_case = [&](const char* op, Run<Ctx> run) {
    suite.add({op, "features", batch, math, kOurs, merge_work(shape),
               [=] {
                 const auto arrays = std::make_shared<MergeArrays<Ctx>>(ctx, shape);
                 return [=] { ((*arrays).*run)(shape); };
               },
               [=] { return check<Ctx>(ctx, small, run); }});
  };
  add_case("merge_fused", &MergeArrays<Ctx>::fused);
  add_case("merge_composed", &MergeArrays<Ctx>::composed);
}

template <typename Ctx>
void add_reversal(Suite& suite, Ctx ctx, std::int64_t batch) {
  const MergeShape shape = merge_shape(suite.shapes, batch, Math::kF32);
  const auto size = static_cast<double>(shape.rows * shape.features);
  suite.add({"grl_backward",
             "features",
             batch,
             Math::kF32,
             kOurs,
             {size, 8.0 * size},
             [=] {
               const auto arrays = std::make_shared<MergeArrays<Ctx>>(ctx, shape);
               fill(ctx, arrays->dfeatures.size(), 1.0F, arrays->dfeatures.data());
               // dx beside dy: in place, values would shrink to nothing over many calls.
               const auto dx = std::make_shared<Array<float>>(ctx, arrays->dfeatures.size());
               return [=] {
                 grl_backward(ctx, dx->size(), Scale{1.0F, arrays->lambda.data()},
                              arrays->dfeatures.data(), dx->data());
               };
             },
             nullptr});
}

}  // namespace

void add_grl_cases(Suite& suite) {
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          for (const Math math : suite.maths) add_merge(suite, ctx, batch, math);
          add_reversal(suite, ctx, batch);
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
