// Batch normalisation of what the first convolution makes, with its rectifier, alone and with the
// pool behind it in the same pass, each way; and dropout of what the pool leaves.
#include <array>
#include <cmath>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/pool_shape.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/batch_norm_pool.h"
#include "kernels/dropout.h"
#include "kernels/moments.h"
#include "tests/support/reference/batch_norm.h"
#include "tests/support/reference/max_pool2d.h"

namespace gradflip::bench {
namespace {

using reference::Sums;
using reference::widen;

constexpr float kEpsilon = 1e-5F;
constexpr double kDropped = 0.1;

// A batch of two domains, half of each, with statistics of each.
template <typename Ctx>
struct NormalisedPictures {
  NormalisedPictures(Ctx ctx, const Pool2dShape& of)
      : context(ctx),
        pool(of),
        pixels(of.H * of.W),
        x(ctx, many_random_floats(of.N * pixels * of.C, 1)),
        dy(ctx, many_random_floats(x.size(), 2)),
        dpooled(ctx, many_random_floats(of.N * of.P() * of.Q() * of.C, 3)),
        scale(ctx, many_random_floats(of.C, 4)),
        shift(ctx, many_random_floats(of.C, 5)),
        of_rows(ctx, of.N * 2 * of.C),
        moments(ctx, 2 * kMoments * of.C),
        sums(ctx, 4 * of.C),
        y(ctx, x.size()),
        pooled(ctx, dpooled.size()),
        at_winner(ctx, dpooled.size()),
        winner(ctx, dpooled.size()),
        workspace(ctx, batch_norm_workspace_bytes(ctx, of.N, of.C)),
        step(ctx, std::vector<std::int64_t>{7}) {
    norm = {.groups = {.groups = 2, .runs = 2, .run = {{of.N / 2, 0}, {of.N - of.N / 2, 1}}},
            .pixels = pixels,
            .C = of.C,
            .rectifier = {},
            .moments = moments.data()};
    for (int group = 0; group < 2; ++group) {
      norm.scale[group] = scale.data();
      norm.shift[group] = shift.data();
      counts.of[group] = norm.groups.rows_of(group) * pixels;
    }
    take_moments();
    normalise();
    normalise_and_pool();
    add_up();
  }

  void take_moments() const {
    row_moments(context, pool.N, pixels, pool.C, x.data(), of_rows.data());
    combine_moments(context, norm.groups, pixels, pool.C, kEpsilon, of_rows.data(), moments.data());
  }
  void normalise() const { batch_norm_forward(context, norm, x.data(), y.data()); }
  void add_up() const {
    batch_norm_sums(context, norm, x.data(), dy.data(), Write::kOverwrite, sums.data(),
                    workspace.data());
  }
  void unnormalise() const {
    batch_norm_backward(context, norm, counts, x.data(), dy.data(), sums.data(), y.data());
  }
  void normalise_and_pool() const {
    batch_norm_pool_forward(context, norm, pool, x.data(), pooled.data(), winner.data(),
                            at_winner.data());
  }
  void unnormalise_and_unpool() const {
    batch_norm_pool_backward(context, norm, counts, pool, x.data(), dpooled.data(), winner.data(),
                             sums.data(), y.data());
  }
  void drop() const {
    const Dropout values{.seed = 1, .probability = kDropped, .units = pool.P() * pool.Q() * pool.C};
    dropout(context, values, DropoutRows::of(0, 0, pool.N), step.data(), dpooled.data(),
            pooled.data());
  }

  reference::BatchNormCase in_doubles() const {
    reference::BatchNormCase of{
        .groups = 2, .pixels = pixels, .C = pool.C, .epsilon = kEpsilon, .slope = 0.0};
    for (std::int64_t row = 0; row < pool.N; ++row) of.group.push_back(norm.groups.group_of(row));
    return of;
  }
  reference::Affine affine() const {
    reference::Affine of;
    for (int group = 0; group < 2; ++group) {  // both share them
      for (const double value : widen(scale.read())) of.scale.push_back(value);
      for (const double value : widen(shift.read())) of.shift.push_back(value);
    }
    return of;
  }

  Ctx context;
  Pool2dShape pool;
  std::int64_t pixels;
  Array<float> x, dy, dpooled, scale, shift, of_rows, moments, sums, y, pooled, at_winner;
  Array<std::uint8_t> winner, workspace;
  Array<std::int64_t> step;
  BatchNorm norm;
  BatchNormCounts counts;
};

template <typename Ctx>
Sums want_sums(const NormalisedPictures<Ctx>& arrays, const std::vector<double>& dy) {
  const reference::BatchNormCase norm = arrays.in_doubles();
  const std::vector<double> x = widen(arrays.x.read());
  const reference::Moments of = reference::moments(norm, x);
  return reference::batch_norm_sums(norm, of, x,
                                    reference::behind_rectifier(norm, of, arrays.affine(), x, dy));
}

// From the sums that the kernels have: those are compared by themselves.
template <typename Ctx>
Sums want_dx(const NormalisedPictures<Ctx>& arrays, const std::vector<double>& dy) {
  const reference::BatchNormCase norm = arrays.in_doubles();
  const std::vector<double> x = widen(arrays.x.read());
  const reference::Moments of = reference::moments(norm, x);
  return reference::batch_norm_backward(
      norm, of, arrays.affine(), x, reference::behind_rectifier(norm, of, arrays.affine(), x, dy),
      widen(arrays.sums.read()));
}

template <typename Ctx>
Sums want_moments(const NormalisedPictures<Ctx>& arrays) {
  const reference::BatchNormCase norm = arrays.in_doubles();
  const reference::Moments of = reference::moments(norm, widen(arrays.x.read()));
  const std::int64_t C = norm.C;
  Sums want(2 * kMoments * C);
  for (std::int64_t i = 0; i < 2 * C; ++i) {
    const std::int64_t first = i / C * kMoments * C + i % C;
    want.value[first] = of.mean[i];
    want.value[first + C] = of.variance[i];
    want.value[first + 2 * C] = 1.0 / std::sqrt(of.variance[i] + kEpsilon);
    for (std::int64_t k = 0; k < kMoments; ++k) want.scale[first + k * C] = 1.0;
  }
  return want;
}

template <typename Ctx>
Sums want_y(const NormalisedPictures<Ctx>& arrays) {
  const reference::BatchNormCase norm = arrays.in_doubles();
  const std::vector<double> x = widen(arrays.x.read());
  return reference::batch_norm(norm, reference::moments(norm, x), arrays.affine(), x);
}

template <typename Ctx>
Sums want_pooled(const NormalisedPictures<Ctx>& arrays) {
  Sums want;
  want.value = reference::max_pool2d_forward(arrays.pool, want_y(arrays).value).y;
  want.scale = std::vector<double>(want.value.size(), 2.0);  // |xhat * scale| + |shift|
  return want;
}

// Where the kernel dropped: which values those are is not the benchmark's question.
template <typename Ctx>
Sums want_dropped(const NormalisedPictures<Ctx>& arrays) {
  const std::vector<double> x = widen(arrays.dpooled.read());
  const std::vector<float> got = arrays.pooled.read();
  Sums want(static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    want.value[i] = got[i] == 0.0F ? 0.0 : x[i] / (1.0 - kDropped);
    want.scale[i] = 1.0;
  }
  return want;
}

template <typename Ctx>
struct NormalisationCase {
  using Arrays = NormalisedPictures<Ctx>;
  const char* op;
  void (Arrays::*run)() const;
  Array<float> Arrays::*output;
  double large, small;  // bytes for each value of x, and for each that the pool leaves
  Sums (*want)(const Arrays& arrays);
};

template <typename Ctx>
std::array<NormalisationCase<Ctx>, 7> normalisation_cases() {
  using Arrays = NormalisedPictures<Ctx>;
  return {{{"moments", &Arrays::take_moments, &Arrays::moments, 4, 0, want_moments<Ctx>},
           {"batch_norm_forward", &Arrays::normalise, &Arrays::y, 8, 0, want_y<Ctx>},
           {"batch_norm_sums", &Arrays::add_up, &Arrays::sums, 8, 0,
            [](const Arrays& a) { return want_sums(a, widen(a.dy.read())); }},
           {"batch_norm_backward", &Arrays::unnormalise, &Arrays::y, 12, 0,
            [](const Arrays& a) { return want_dx(a, widen(a.dy.read())); }},
           {"batch_norm_pool_forward", &Arrays::normalise_and_pool, &Arrays::pooled, 4, 9,
            want_pooled<Ctx>},
           {"batch_norm_pool_backward", &Arrays::unnormalise_and_unpool, &Arrays::y, 8, 5,
            [](const Arrays& a) {
              const std::vector<std::uint8_t> places = a.winner.read();
              return want_dx(a, reference::max_pool2d_backward(a.pool, widen(a.dpooled.read()),
                                                               {places.begin(), places.end()})
                                    .value);
            }},
           {"dropout", &Arrays::drop, &Arrays::pooled, 0, 8, want_dropped<Ctx>}}};
}

}  // namespace

void add_normalisation_cases(Suite& suite) {
  const auto add = [&](auto ctx, std::int64_t batch) {
    using Ctx = decltype(ctx);
    const ConvLayer& layer = suite.shapes.conv_layers.front();
    const Pool2dShape shape = pool_behind(layer, batch), small = pool_behind(layer, kCheckBatch);
    const auto values = static_cast<double>(batch * shape.C);
    for (const NormalisationCase<Ctx>& one : normalisation_cases<Ctx>()) {
      const double bytes = values * (one.large * static_cast<double>(shape.H * shape.W) +
                                     one.small * static_cast<double>(shape.P() * shape.Q()));
      suite.add({one.op,
                 layer.name,
                 batch,
                 Math::kF32,
                 kOurs,
                 {0.0, bytes},
                 [=] {
                   const auto arrays = std::make_shared<NormalisedPictures<Ctx>>(ctx, shape);
                   return [=] { ((*arrays).*(one.run))(); };
                 },
                 [=] {
                   const NormalisedPictures<Ctx> arrays(ctx, small);
                   (arrays.*(one.run))();
                   return differences(one.op, (arrays.*(one.output)).read(), one.want(arrays),
                                      kSum);
                 }});
    }
  };
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) add(ctx, batch);
      },
      suite.context);
}

}  // namespace gradflip::bench
