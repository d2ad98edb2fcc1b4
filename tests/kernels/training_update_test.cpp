#include "kernels/training_update.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

#include "kernels/advance_step.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::uint64_t kFinite = StepState::kAllFinite;

// What a run owns, in a backend's memory.
template <typename Ctx>
struct Run {
  explicit Run(std::int64_t size, Base base)
      : weight(random_floats(size, 1), base),
        velocity(random_floats(size, 2), base),
        ring(std::vector<float>(4 * 3, -1.0F)),
        step(std::vector<std::int64_t>{2}),
        guard(std::vector<FiniteGuard>(1)),
        state(std::vector<StepState>(1)) {}

  GuardedBuffer<float, Ctx> weight, velocity, ring;
  GuardedBuffer<std::int64_t, Ctx> step;
  GuardedBuffer<FiniteGuard, Ctx> guard;
  GuardedBuffer<StepState, Ctx> state;
};

struct Contents {
  std::vector<float> weight, velocity, ring;
  std::int64_t step;
  FiniteGuard guard;

  template <typename Ctx>
  explicit Contents(const Run<Ctx>& run)
      : weight(run.weight.read()),
        velocity(run.velocity.read()),
        ring(run.ring.read()),
        step(run.step.read()[0]),
        guard(run.guard.read()[0]) {}
};

void expect_same(const Contents& got, const Contents& want) {
  EXPECT_EQ(got.weight, want.weight);
  EXPECT_EQ(got.velocity, want.velocity);
  EXPECT_EQ(got.step, want.step);
  EXPECT_EQ(0, std::memcmp(got.ring.data(), want.ring.data(), want.ring.size() * sizeof(float)));
  EXPECT_EQ(got.guard.frozen, want.guard.frozen);
  EXPECT_EQ(got.guard.quantity, want.guard.quantity);
  EXPECT_EQ(got.guard.index, want.guard.index);
  EXPECT_EQ(got.guard.step, want.guard.step);
}

// What the step found.
struct Found {
  float label_loss = 1.5F, domain_loss = 0.75F;
  std::uint64_t note = kFinite;
};

template <typename Ctx>
class TrainingUpdateTest : public BackendTest<Ctx> {
 protected:
  static constexpr SgdOptions kOptions{.momentum = 0.9F, .weight_decay = 0.1F};

  // The kernels that one launch stands for.
  void step_by_step(std::int64_t size, const float* rate, const float* gradient,
                    std::span<const float* const> losses, std::span<const float* const> recorded,
                    const Found& found, Run<Ctx>& run) {
    const Ctx ctx = this->ctx();
    record_scalars(ctx, recorded, run.step.data(), 4, run.ring.data());
    std::int32_t quantity = 0;
    for (const float* loss : losses) {
      check_finite(ctx, 1, loss, quantity++, run.step.data(), run.guard.data());
    }
    if (found.note != kFinite) {
      std::vector<float> gradients(found.note + 1, 0.0F);
      gradients.back() = std::numeric_limits<float>::infinity();
      const auto bad = this->upload(gradients);
      check_finite(ctx, bad.size(), bad.data(), quantity, run.step.data(), run.guard.data());
    }
    sgd(ctx, {.options = kOptions,
              .size = size,
              .learning_rate = rate,
              .frozen = &run.guard.data()->frozen,
              .gradient = gradient,
              .weight = run.weight.data(),
              .velocity = run.velocity.data()});
    advance_step(ctx, run.step.data());
  }

  // Runs the steps both ways.
  void expect_equal(std::int64_t size, Base base, std::span<const Found> steps) {
    Run<Ctx> fused(size, base), apart(size, base);
    const auto rate = this->upload(std::vector<float>{0.25F});
    for (const Found& found : steps) {
      const auto gradient = this->upload(random_floats(size, 5), base);
      const auto scalars =
          this->upload(std::vector<float>{found.label_loss, 0.25F, found.domain_loss});
      const float* losses[] = {scalars.data(), scalars.data() + 2};
      const float* recorded[] = {scalars.data(), scalars.data() + 1, scalars.data() + 2};
      step_by_step(size, rate.data(), gradient.data(), losses, recorded, found, apart);
      StepState state;
      state.first_non_finite = found.note;
      fused.state.write({state});
      training_update(this->ctx(), {.options = kOptions,
                                    .size = size,
                                    .learning_rate = rate.data(),
                                    .gradient = gradient.data(),
                                    .weight = fused.weight.data(),
                                    .velocity = fused.velocity.data(),
                                    .losses = losses,
                                    .recorded = recorded,
                                    .capacity = 4,
                                    .ring = fused.ring.data(),
                                    .step = fused.step.data(),
                                    .guard = fused.guard.data(),
                                    .state = fused.state.data()});
      const StepState left = fused.state.read()[0];
      const StepState start;
      EXPECT_EQ(0, std::memcmp(&left, &start, sizeof(left)));
    }
    expect_same(Contents(fused), Contents(apart));
  }
};
TYPED_TEST_SUITE(TrainingUpdateTest, Backends, BackendNames);

TYPED_TEST(TrainingUpdateTest, EqualsItsPartsBitForBit) {
  for (const Base base : {Base::kAligned, Base::kOffByOne}) {
    for (const std::int64_t size : {0, 1, 3, 4, 5, 1023, 1025, 5000}) {
      SCOPED_TRACE(size);
      this->expect_equal(size, base, std::array<Found, 3>{});
    }
  }
}

TYPED_TEST(TrainingUpdateTest, FreezesAsItsPartsDo) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::array<std::vector<Found>, 6> runs{{
      {{}, {.label_loss = kNan}, {}},
      {{.domain_loss = -kInfinity}},
      {{.note = 0}, {}},
      {{}, {.note = 1024}, {.label_loss = kNan}},  // the first step counts
      {{.label_loss = kInfinity, .note = 3}},      // a loss before the gradients
      {{.label_loss = kNan, .domain_loss = kNan}, {.note = 5}},
  }};
  for (const std::vector<Found>& steps : runs) this->expect_equal(1500, Base::kAligned, steps);
}

TYPED_TEST(TrainingUpdateTest, NothingNeedsToBeRecordedOrGuarded) {
  Run<TypeParam> run(2, Base::kAligned);
  const auto rate = this->upload(std::vector<float>{0.5F});
  const auto gradient = this->upload(std::vector<float>{1.0F, -2.0F});
  run.weight.write({1.0F, 1.0F});
  run.velocity.write({0.0F, 0.0F});
  training_update(this->ctx(), {.options = {},
                                .size = 2,
                                .learning_rate = rate.data(),
                                .gradient = gradient.data(),
                                .weight = run.weight.data(),
                                .velocity = run.velocity.data(),
                                .losses = {},
                                .recorded = {},
                                .step = run.step.data(),
                                .guard = run.guard.data(),
                                .state = run.state.data()});
  EXPECT_EQ(run.weight.read(), (std::vector<float>{0.5F, 2.0F}));
  EXPECT_EQ(run.step.read()[0], 3);
  EXPECT_EQ(run.ring.read(), std::vector<float>(12, -1.0F));
}

TYPED_TEST(TrainingUpdateTest, RejectsWhatDoesNotFit) {
  const std::vector<const float*> many(kMaxGuardedLosses + 1, nullptr);
  EXPECT_THROW(training_update(this->ctx(), {.size = -1}), std::invalid_argument);
  EXPECT_THROW(training_update(this->ctx(), {.losses = many}), std::invalid_argument);
  EXPECT_THROW(training_update(this->ctx(), {.capacity = 0}), std::invalid_argument);
  EXPECT_THROW(training_update(this->ctx(), {.options = {.nesterov = true}}),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
