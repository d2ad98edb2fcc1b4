// The update of all of the network's parameters: one launch, whatever the batch.
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/sgd.h"
#include "tests/support/reference/sgd.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr SgdOptions kOptions{.momentum = 0.9F, .weight_decay = 1e-3F};
constexpr float kLearningRate = 1e-3F;

template <typename Ctx>
struct SgdArrays {
  SgdArrays(Ctx ctx, std::int64_t size)
      : context(ctx),
        gradient(ctx, many_random_floats(size, 1)),
        weight(ctx, many_random_floats(size, 2)),
        velocity(ctx, many_random_floats(size, 3)),
        learning_rate(ctx, std::vector<float>{kLearningRate}) {}

  void run() const {
    sgd(context, {.options = kOptions,
                  .size = gradient.size(),
                  .learning_rate = learning_rate.data(),
                  .gradient = gradient.data(),
                  .weight = weight.data(),
                  .velocity = velocity.data()});
  }

  Ctx context;
  Array<float> gradient, weight, velocity, learning_rate;
};

template <typename Ctx>
std::string check(Ctx ctx) {
  const SgdArrays<Ctx> arrays(ctx, 1003);
  const reference::SgdResult want =
      reference::sgd(kOptions, static_cast<double>(kLearningRate), widen(arrays.gradient.read()),
                     widen(arrays.weight.read()), widen(arrays.velocity.read()));
  arrays.run();
  const std::string difference = differences("weight", arrays.weight.read(), want.weight, kSum);
  return difference.empty() ? differences("velocity", arrays.velocity.read(), want.velocity, kSum)
                            : difference;
}

}  // namespace

void add_sgd_cases(Suite& suite) {
  const std::int64_t size = suite.shapes.parameters;
  std::visit(
      [&](auto ctx) {
        // Three arrays read, two written.
        suite.add({"sgd",
                   "all_parameters",
                   0,
                   Math::kF32,
                   kOurs,
                   {5.0 * static_cast<double>(size), 20.0 * static_cast<double>(size)},
                   [=] {
                     const auto arrays = std::make_shared<SgdArrays<decltype(ctx)>>(ctx, size);
                     return [=] { arrays->run(); };
                   },
                   [=] { return check(ctx); }});
      },
      suite.context);
}

}  // namespace gradflip::bench
