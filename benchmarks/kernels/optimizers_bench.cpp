// What else an update of all of the network's parameters may take, beside sgd: one or two launches
// over flat blocks, whatever the batch.
#include <cmath>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/adam.h"
#include "kernels/average.h"
#include "kernels/gradient_norm.h"
#include "tests/support/reference/adam.h"
#include "tests/support/reference/average.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr AdamOptions kAdamOptions{.weight_decay = 1e-2F, .decoupled = true};
constexpr float kRate = 1e-3F, kDecay = 0.999F, kMaxNorm = 1.0F;
constexpr std::int64_t kUpdates = 10, kCheckSize = 1003;

template <typename Ctx>
struct OptimizerArrays {
  OptimizerArrays(Ctx ctx, std::int64_t size)
      : context(ctx),
        gradient(ctx, many_random_floats(size, 1)),
        weight(ctx, many_random_floats(size, 2)),
        first_moment(ctx, many_random_floats(size, 3)),
        second_moment(ctx, squares(many_random_floats(size, 4))),
        rate(ctx, std::vector<float>{kRate}),
        norm(ctx, 1),
        factor(ctx, 1),
        updates(ctx, std::vector<std::int64_t>{kUpdates}),
        scratch(ctx, gradient_norm_scratch_bytes(ctx, size)) {}

  static std::vector<float> squares(std::vector<float> values) {
    for (float& value : values) value *= value;
    return values;
  }

  void run_adam() const {
    adam(context, {.options = kAdamOptions,
                   .size = gradient.size(),
                   .learning_rate = rate.data(),
                   .updates = updates.data(),
                   .gradient = gradient.data(),
                   .weight = weight.data(),
                   .first_moment = first_moment.data(),
                   .second_moment = second_moment.data()});
  }
  // The first moments serve as averages.
  void run_average() const {
    average(context, {.size = weight.size(),
                      .decay = {kDecay},
                      .weight = weight.data(),
                      .averaged = first_moment.data()});
  }
  void run_norm() const {
    gradient_norm(context, {.size = gradient.size(),
                            .max_norm = kMaxNorm,
                            .gradient = gradient.data(),
                            .norm = norm.data(),
                            .factor = factor.data(),
                            .scratch = scratch.data()});
  }

  Ctx context;
  Array<float> gradient, weight, first_moment, second_moment, rate, norm, factor;
  Array<std::int64_t> updates;
  Array<std::byte> scratch;
};

template <typename Ctx>
std::string check_adam(Ctx ctx) {
  const OptimizerArrays<Ctx> arrays(ctx, kCheckSize);
  const reference::AdamResult want =
      reference::adam(kAdamOptions, static_cast<double>(kRate), kUpdates + 1,
                      widen(arrays.gradient.read()), widen(arrays.weight.read()),
                      widen(arrays.first_moment.read()), widen(arrays.second_moment.read()));
  arrays.run_adam();
  const std::string difference = differences("weight", arrays.weight.read(), want.weight, kSum);
  return difference.empty()
             ? differences("second moment", arrays.second_moment.read(), want.second_moment, kSum)
             : difference;
}

template <typename Ctx>
std::string check_average(Ctx ctx) {
  const OptimizerArrays<Ctx> arrays(ctx, kCheckSize);
  const reference::Sums want = reference::average(
      static_cast<double>(kDecay), widen(arrays.weight.read()), widen(arrays.first_moment.read()));
  arrays.run_average();
  return differences("average", arrays.first_moment.read(), want, kSum);
}

template <typename Ctx>
std::string check_norm(Ctx ctx) {
  const OptimizerArrays<Ctx> arrays(ctx, kCheckSize);
  double squares = 0.0;
  for (const double g : widen(arrays.gradient.read())) squares += g * g;
  reference::Sums norm(1), factor(1);
  norm.add(0, std::sqrt(squares));
  factor.add(0, static_cast<double>(kMaxNorm) / (norm.value[0] + 1e-6));
  arrays.run_norm();
  const std::string difference = differences("norm", arrays.norm.read(), norm, kSum);
  return difference.empty() ? differences("factor", arrays.factor.read(), factor, kSum)
                            : difference;
}

template <typename Ctx, typename Run>
void add_case(Suite& suite, Ctx ctx, const char* op, Work work, const Run& run,
              std::string (*check)(Ctx)) {
  suite.add({op, "all_parameters", 0, Math::kF32, kOurs, work,
             [ctx, run, size = suite.shapes.parameters] {
               const auto arrays = std::make_shared<OptimizerArrays<Ctx>>(ctx, size);
               return [arrays, run] { run(*arrays); };
             },
             [ctx, check] { return check(ctx); }});
}

}  // namespace

void add_optimizer_cases(Suite& suite) {
  const auto size = static_cast<double>(suite.shapes.parameters);
  std::visit(
      [&](auto ctx) {
        using Ctx = decltype(ctx);
        // Four arrays read, three written; two and one; one.
        add_case(
            suite, ctx, "adam", {14.0 * size, 28.0 * size},
            [](const auto& arrays) { arrays.run_adam(); }, check_adam<Ctx>);
        add_case(
            suite, ctx, "average", {3.0 * size, 12.0 * size},
            [](const auto& arrays) { arrays.run_average(); }, check_average<Ctx>);
        add_case(
            suite, ctx, "gradient_norm", {2.0 * size, 4.0 * size},
            [](const auto& arrays) { arrays.run_norm(); }, check_norm<Ctx>);
      },
      suite.context);
}

}  // namespace gradflip::bench
