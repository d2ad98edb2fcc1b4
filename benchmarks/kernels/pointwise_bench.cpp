// What goes through memory once and computes little on the way: rectifiers, exponentials, pools and
// normalisation of what the first convolution makes, each alone, and softmax of the classes.
#include <cmath>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/pool_shape.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/elementwise.h"
#include "kernels/instance_norm.h"
#include "kernels/max_pool2d.h"
#include "kernels/mean_pool2d.h"
#include "kernels/relu.h"
#include "kernels/softmax.h"
#include "tests/support/reference/instance_norm.h"
#include "tests/support/reference/max_pool2d.h"
#include "tests/support/reference/mean_pool2d.h"
#include "tests/support/reference/relu.h"
#include "tests/support/reference/softmax.h"

namespace gradflip::bench {
namespace {

using reference::Sums;
using reference::widen;

template <typename Ctx>
struct PictureArrays {
  PictureArrays(Ctx ctx, const Pool2dShape& pool)
      : context(ctx),
        shape(pool),
        x(ctx, many_random_floats(pool.N * pool.H * pool.W * pool.C, 1)),
        dx(ctx, x.size()),
        pooled(ctx, many_random_floats(pool.N * pool.P() * pool.Q() * pool.C, 2)),
        y(ctx, pooled.size()),
        winner(ctx, std::vector<std::int32_t>(static_cast<std::size_t>(pooled.size()), 1)),
        rstd(ctx, pool.N * pool.C) {}

  InstanceNormShape norm() const {
    return {.N = shape.N, .pixels = shape.H * shape.W, .C = shape.C};
  }

  void relu() const { relu_forward(context, x.size(), x.data(), dx.data()); }
  void unrelu() const { relu_backward(context, x.size(), x.data(), x.data(), dx.data()); }
  void exp() const { unary(context, x.size(), Unary::kExp, x.data(), dx.data()); }
  void max() const { max_pool2d_forward(context, shape, x.data(), y.data(), winner.data()); }
  void unmax() const {
    max_pool2d_backward(context, shape, pooled.data(), winner.data(), dx.data());
  }
  void mean() const { mean_pool2d_forward(context, shape, x.data(), y.data()); }
  void unmean() const { mean_pool2d_backward(context, shape, pooled.data(), dx.data()); }
  void normalise() const {
    instance_norm_forward(context, norm(), x.data(), dx.data(), rstd.data());
  }

  Ctx context;
  Pool2dShape shape;
  Array<float> x, dx, pooled, y;
  Array<std::int32_t> winner;
  Array<float> rstd;
};

// An error of what is one rounding, or a sum of numbers below 1.
Sums exactly(const std::vector<double>& value) {
  Sums sums;
  sums.value = value;
  sums.scale = std::vector<double>(value.size(), 1.0);
  return sums;
}

std::vector<double> exponentials(std::vector<double> x) {
  for (double& number : x) number = std::exp(number);
  return x;
}

template <typename Ctx>
struct PictureCase {
  using Arrays = PictureArrays<Ctx>;
  const char* op;
  void (Arrays::*run)() const;
  Array<float> Arrays::*output;
  double large, small;  // arrays as large as x, and as the pooled ones, that are read or written
  Sums (*want)(const Arrays& arrays);
};

template <typename Ctx>
std::vector<PictureCase<Ctx>> picture_cases() {
  using Arrays = PictureArrays<Ctx>;
  return {
      {"relu_forward", &Arrays::relu, &Arrays::dx, 2, 0,
       [](const Arrays& a) { return exactly(reference::relu_forward(widen(a.x.read()))); }},
      {"relu_backward", &Arrays::unrelu, &Arrays::dx, 3, 0,
       [](const Arrays& a) {
         return exactly(reference::relu_backward(widen(a.x.read()), widen(a.x.read())));
       }},
      {"exp", &Arrays::exp, &Arrays::dx, 2, 0,
       [](const Arrays& a) { return exactly(exponentials(widen(a.x.read()))); }},
      {"max_pool2d_forward", &Arrays::max, &Arrays::y, 1, 2,
       [](const Arrays& a) {
         return exactly(reference::max_pool2d_forward(a.shape, widen(a.x.read())).y);
       }},
      {"max_pool2d_backward", &Arrays::unmax, &Arrays::dx, 1, 2,
       [](const Arrays& a) {
         return reference::max_pool2d_backward(a.shape, widen(a.pooled.read()), a.winner.read());
       }},
      {"mean_pool2d_forward", &Arrays::mean, &Arrays::y, 1, 1,
       [](const Arrays& a) { return reference::mean_pool2d_forward(a.shape, widen(a.x.read())); }},
      {"mean_pool2d_backward", &Arrays::unmean, &Arrays::dx, 1, 1,
       [](const Arrays& a) {
         return reference::mean_pool2d_backward(a.shape, widen(a.pooled.read()));
       }},
      {"instance_norm_forward", &Arrays::normalise, &Arrays::dx, 2, 0, [](const Arrays& a) {
         return exactly(reference::instance_norm_forward(a.norm(), widen(a.x.read())).y);
       }}};
}

template <typename Ctx>
void add_pictures(Suite& suite, Ctx ctx, std::int64_t batch) {
  const ConvLayer& layer = suite.shapes.conv_layers.front();
  const Pool2dShape shape = pool_behind(layer, batch), small = pool_behind(layer, kCheckBatch);
  const auto floats = static_cast<double>(batch * shape.C);
  for (const PictureCase<Ctx>& one : picture_cases<Ctx>()) {
    const double bytes = 4.0 * floats *
                         (one.large * static_cast<double>(shape.H * shape.W) +
                          one.small * static_cast<double>(shape.P() * shape.Q()));
    suite.add({one.op,
               layer.name,
               batch,
               Math::kF32,
               kOurs,
               {0.0, bytes},
               [=] {
                 const auto arrays = std::make_shared<PictureArrays<Ctx>>(ctx, shape);
                 return [=] { ((*arrays).*(one.run))(); };
               },
               [=] {
                 const PictureArrays<Ctx> arrays(ctx, small);
                 (arrays.*(one.run))();
                 return differences(one.op, (arrays.*(one.output)).read(), one.want(arrays), kSum);
               }});
  }
}

template <typename Ctx>
struct ClassArrays {
  ClassArrays(Ctx ctx, std::int64_t batch, std::int64_t num_classes)
      : context(ctx),
        shape{batch, num_classes},
        logits(ctx, many_random_floats(batch * num_classes, 1)),
        y(ctx, logits.size()) {}

  void run(bool is_log) const {
    if (is_log) return log_softmax(context, shape, logits.data(), y.data());
    softmax(context, shape, logits.data(), y.data());
  }

  Ctx context;
  SoftmaxShape shape;
  Array<float> logits, y;
};

template <typename Ctx>
void add_softmax(Suite& suite, Ctx ctx, std::int64_t batch) {
  const std::int64_t classes = suite.shapes.num_classes;
  for (const bool is_log : {false, true}) {
    const char* op = is_log ? "log_softmax" : "softmax";
    suite.add({op,
               std::to_string(classes) + "_classes",
               batch,
               Math::kF32,
               kOurs,
               {0.0, 8.0 * static_cast<double>(batch * classes)},
               [=] {
                 const auto arrays = std::make_shared<ClassArrays<Ctx>>(ctx, batch, classes);
                 return [=] { arrays->run(is_log); };
               },
               [=] {
                 const ClassArrays<Ctx> arrays(ctx, kCheckBatch, classes);
                 arrays.run(is_log);
                 const std::vector<double> logits = widen(arrays.logits.read());
                 return differences(op, arrays.y.read(),
                                    is_log ? reference::log_softmax(classes, logits)
                                           : reference::softmax(classes, logits),
                                    kSum);
               }});
  }
}

}  // namespace

void add_pointwise_cases(Suite& suite) {
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          add_pictures(suite, ctx, batch);
          add_softmax(suite, ctx, batch);
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
