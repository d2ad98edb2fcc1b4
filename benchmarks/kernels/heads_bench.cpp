// Label predictor and domain classifier as a GPU's training step runs them: forward with losses and
// the gradients of every layer's outputs, the features' gradient with the reversal in it, and the
// weights' gradients; one launch each.
#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/heads_arrays.h"
#include "benchmarks/kernels/heads_check.h"

namespace gradflip::bench {
namespace {

HeadShape head_shape(const DannShapes& shapes, const std::string& part, std::int64_t rows,
                     HeadLoss loss) {
  HeadShape head{.row_begin = 0, .rows = rows, .num_layers = 0, .loss = loss};
  for (const LinearLayer& layer : shapes.linear_layers) {
    if (layer.name.starts_with(part + ".")) head.widths[head.num_layers++] = layer.out_features;
  }
  return head;
}

// Half of the rows are labelled, as in the paper; those come first.
HeadsShape heads_shape(const DannShapes& shapes, std::int64_t batch, Math math) {
  return {batch,
          shapes.features,
          2,
          {head_shape(shapes, "label_predictor", batch - batch / 2, HeadLoss::kSoftmaxCrossEntropy),
           head_shape(shapes, "domain_classifier", batch, HeadLoss::kBceWithLogits)},
          math};
}

// Floats of each kind, over all heads.
struct Sizes {
  double features = 0.0, first_products = 0.0, products = 0.0, first_weights = 0.0, weights = 0.0,
         biases = 0.0, first_outputs = 0.0, outputs = 0.0, hidden = 0.0, labels = 0.0;
};

Sizes sizes_of(const HeadsShape& shape) {
  Sizes sizes;
  sizes.features = static_cast<double>(shape.rows * shape.features);
  for (int h = 0; h < shape.num_heads; ++h) {
    const HeadShape& head = shape.heads[h];
    for (int l = 0; l < head.num_layers; ++l) {
      const auto weights = static_cast<double>(head.widths[l] * shape.inputs(h, l));
      const auto outputs = static_cast<double>(head.rows * head.widths[l]);
      const double products = static_cast<double>(head.rows) * weights;
      sizes.products += products;
      sizes.weights += weights;
      sizes.biases += static_cast<double>(head.widths[l]);
      sizes.outputs += outputs;
      if (l == 0) {
        sizes.first_products += products;
        sizes.first_weights += weights;
        sizes.first_outputs += outputs;
      }
      if (l + 1 < head.num_layers) sizes.hidden += outputs;
    }
    if (head.loss == HeadLoss::kSoftmaxCrossEntropy) sizes.labels += static_cast<double>(head.rows);
  }
  return sizes;
}

// Forward through all layers and back through all but the first; reads features, weights, biases
// and labels, writes every layer's outputs and their gradients, and two numbers of each head.
Work forward_work(const HeadsShape& shape) {
  const Sizes sizes = sizes_of(shape);
  return {2.0 * (2.0 * sizes.products - sizes.first_products),
          4.0 * (sizes.features + sizes.weights + sizes.biases + sizes.labels + sizes.hidden +
                 sizes.outputs + 2.0 * shape.num_heads)};
}

Work backward_data_work(const HeadsShape& shape) {
  const Sizes sizes = sizes_of(shape);
  return {2.0 * sizes.first_products,
          4.0 * (sizes.first_outputs + sizes.first_weights + sizes.features + 1.0)};
}

Work backward_weights_work(const HeadsShape& shape) {
  const Sizes sizes = sizes_of(shape);
  return {2.0 * sizes.products,
          4.0 * (sizes.features + sizes.hidden + sizes.outputs + sizes.weights + sizes.biases)};
}

// One of the three launches: what it does on arrays, and whether they are right behind it.
template <typename Ctx>
struct Launch {
  const char* op;
  Work (*work)(const HeadsShape&);
  void (HeadsArrays<Ctx>::*run)() const;
  std::string (*check)(const HeadsResult&);
};

template <typename Ctx>
void add_launches(Suite& suite, Ctx ctx, std::int64_t batch, Math math) {
  const Launch<Ctx> launches[] = {
      {"heads_forward", forward_work, &HeadsArrays<Ctx>::forward, check_heads_forward},
      {"heads_backward_data", backward_data_work, &HeadsArrays<Ctx>::backward_data,
       check_heads_backward_data},
      {"heads_backward_weights", backward_weights_work, &HeadsArrays<Ctx>::backward_weights,
       check_heads_backward_weights}};
  const HeadsShape shape = heads_shape(suite.shapes, batch, math);
  const HeadsShape small = heads_shape(suite.shapes, kCheckBatch, math);
  for (const Launch<Ctx>& launch : launches) {
    suite.add({launch.op, "all_heads", batch, math, kOurs, launch.work(shape),
               [=] {
                 const auto arrays = std::make_shared<HeadsArrays<Ctx>>(ctx, shape);
                 return [=] { ((*arrays).*launch.run)(); };
               },
               [=] {
                 const HeadsArrays<Ctx> arrays(ctx, small);
                 (arrays.*launch.run)();
                 return launch.check(arrays.read());
               }});
  }
}

}  // namespace

void add_heads_cases(Suite& suite) {
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          for (const Math math : suite.maths) add_launches(suite, ctx, batch, math);
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
