// The end of a training step as a GPU runs it: update, record of losses, guard and counter in one
// launch.
#include <array>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/training_update.h"
#include "tests/support/reference/sgd.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr SgdOptions kOptions{.momentum = 0.9F, .weight_decay = 0.0F};  // the paper's
constexpr float kLearningRate = 1e-3F;
constexpr std::int64_t kCapacity = 64;
constexpr std::int64_t kStep = 66;  // the ring has gone round
// A DANN's losses are guarded and recorded, beside what it gets right and its schedules.
constexpr std::size_t kLosses = 2;
const std::vector<float> kScalars{2.25F, 0.5F, 40.0F, 90.0F, 0.1F, 0.01F};

template <typename Ctx>
struct UpdateArrays {
  UpdateArrays(Ctx ctx, std::int64_t size)
      : context(ctx),
        gradient(ctx, many_random_floats(size, 1)),
        weight(ctx, many_random_floats(size, 2)),
        velocity(ctx, many_random_floats(size, 3)),
        learning_rate(ctx, std::vector<float>{kLearningRate}),
        scalars(ctx, kScalars),
        ring(ctx, std::vector<float>(kCapacity * kScalars.size())),
        step(ctx, std::vector<std::int64_t>{kStep}),
        guard(ctx, std::vector<FiniteGuard>(1)),
        state(ctx, std::vector<StepState>(1)) {}

  void run() const {
    std::array<const float*, kMaxRecordedScalars> recorded{};
    for (std::size_t i = 0; i < kScalars.size(); ++i) recorded.at(i) = scalars.data() + i;
    training_update(context, {.options = kOptions,
                              .size = gradient.size(),
                              .learning_rate = learning_rate.data(),
                              .gradient = gradient.data(),
                              .weight = weight.data(),
                              .velocity = velocity.data(),
                              .losses = std::span(recorded).first(kLosses),
                              .recorded = std::span(recorded).first(kScalars.size()),
                              .capacity = kCapacity,
                              .ring = ring.data(),
                              .step = step.data(),
                              .guard = guard.data(),
                              .state = state.data()});
  }

  Ctx context;
  Array<float> gradient, weight, velocity, learning_rate, scalars, ring;
  Array<std::int64_t> step;
  Array<FiniteGuard> guard;
  Array<StepState> state;
};

template <typename Ctx>
std::string check(Ctx ctx) {
  const UpdateArrays<Ctx> arrays(ctx, 1003);
  const reference::SgdResult want =
      reference::sgd(kOptions, static_cast<double>(kLearningRate), widen(arrays.gradient.read()),
                     widen(arrays.weight.read()), widen(arrays.velocity.read()));
  arrays.run();
  const std::vector<float> ring = arrays.ring.read();
  const auto row = ring.begin() + static_cast<std::ptrdiff_t>(kStep % kCapacity * kScalars.size());
  if (!std::equal(kScalars.begin(), kScalars.end(), row)) return "the ring's row is another";
  if (arrays.step.read().front() != kStep + 1) return "the step was not counted";
  if (arrays.guard.read().front().frozen != 0) return "the guard is frozen";
  const std::string difference = differences("weight", arrays.weight.read(), want.weight, kSum);
  return difference.empty() ? differences("velocity", arrays.velocity.read(), want.velocity, kSum)
                            : difference;
}

}  // namespace

void add_training_update_cases(Suite& suite) {
  const std::int64_t size = suite.shapes.parameters;
  std::visit(
      [&](auto ctx) {
        // As sgd's: beside three arrays read and two written, a few scalars do not count.
        suite.add({"training_update",
                   "all_parameters",
                   0,
                   Math::kF32,
                   kOurs,
                   {5.0 * static_cast<double>(size), 20.0 * static_cast<double>(size)},
                   [=] {
                     const auto arrays = std::make_shared<UpdateArrays<decltype(ctx)>>(ctx, size);
                     return [=] { arrays->run(); };
                   },
                   [=] { return check(ctx); }});
      },
      suite.context);
}

}  // namespace gradflip::bench
