// Augmented rows of data sets, as a graph makes them: the same whatever threads and shards do.
#include "runtime/ops/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "runtime/ops/gather.h"
#include "runtime/ops/sample.h"
#include "tests/support/augment_programs.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/augment.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::array<std::int64_t, 2> kAugmentBatch{45, 37}, kAugmentCount{20, 9};
constexpr std::int64_t kAugmentSide = 10;
constexpr ops::AugmentAttributes kTwoDomains{.seed = 6, .view = 1, .channels = 3};

Sampler augment_sampler(std::size_t segment) {
  return {.seed = 3,
          .stream = static_cast<std::uint32_t>(segment),
          .size = kAugmentCount[segment],
          .batch = kAugmentBatch[segment]};
}

// A grey data set and a coloured one, with programs of their own.
struct AugmentedBatch {
  Graph graph;
  Value step = graph.external("step", {Dtype::kI64, {}, {}});
  Value mean = graph.external("mean", {Dtype::kF32, {3}, {}});
  Value scale = graph.external("scale", {Dtype::kF32, {3}, {}});
  std::array<Value, 2> images = {
      graph.external("grey", {Dtype::kU8, {kAugmentCount[0], kAugmentSide, kAugmentSide, 1}, {}}),
      graph.external("colour",
                     {Dtype::kU8, {kAugmentCount[1], kAugmentSide, kAugmentSide, 3}, {}})};
  std::array<Value, 2> indices = {ops::sample_indices(graph, step, 0, augment_sampler(0)),
                                  ops::sample_indices(graph, step, 1, augment_sampler(1))};
  std::array<AugmentProgram, 2> programs = {
      strong_augmentation(), program_of({augment_operation(AugmentKind::kShift, -3, 3)})};
  std::array<std::vector<std::uint8_t>, 2> bytes = {
      random_bytes(kAugmentCount[0] * kAugmentSide * kAugmentSide, 1),
      random_bytes(kAugmentCount[1] * kAugmentSide * kAugmentSide * 3, 2)};

  std::vector<ops::AugmentedSource> sources() const {
    return {{images[0], indices[0], programs[0]}, {images[1], indices[1], programs[1]}};
  }

  void bind(GraphRunner& runner, std::int64_t at_step) const {
    runner.bind(step, std::vector<std::int64_t>{at_step});
    runner.bind(mean, std::vector<float>{0.0F, 0.0F, 0.0F});
    runner.bind(scale, std::vector<float>{1.0F, 1.0F, 1.0F});
    for (std::size_t segment = 0; segment < 2; ++segment) {
      runner.bind(images[segment], bytes[segment]);
    }
    runner.bind_results();
  }

  // By the reference.
  std::vector<float> expected(std::int64_t at_step) const {
    std::vector<float> rows;
    for (std::size_t segment = 0; segment < 2; ++segment) {
      std::vector<std::int64_t> picked;
      for (std::int64_t row = 0; row < kAugmentBatch[segment]; ++row) {
        picked.push_back(
            sample_index(augment_sampler(segment), at_step * kAugmentBatch[segment] + row));
      }
      const AugmentShape shape{.count = kAugmentBatch[segment],
                               .H = kAugmentSide,
                               .W = kAugmentSide,
                               .stored_channels = segment == 0 ? 1 : 3,
                               .channels = 3};
      const AugmentDraws draws{.seed = kTwoDomains.seed,
                               .stream = static_cast<std::uint32_t>(segment),
                               .view = kTwoDomains.view};
      const auto made =
          reference::augmented(shape, programs[segment], draws, at_step, 0, bytes[segment], picked);
      rows.insert(rows.end(), made.begin(), made.end());
    }
    return rows;
  }
};

template <typename Ctx>
class AugmentOpTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(AugmentOpTest, Backends, BackendNames);

TYPED_TEST(AugmentOpTest, RowsFollowTheStepAndNotThreadsOrShards) {
  AugmentedBatch batch;
  const Value rows = ops::augment(batch.graph, batch.step, batch.sources(), kTwoDomains);
  EXPECT_EQ(batch.graph.type(rows),
            (ValueType{Dtype::kU8, {kAugmentSide, kAugmentSide, 3}, {0b11}}));
  const Value x = ops::normalize(batch.graph, rows, batch.mean, batch.scale);
  batch.graph.mark_result(x);
  const std::vector<std::int64_t> counts = {kAugmentBatch.begin(), kAugmentBatch.end()};
  std::vector<float> of_step_four;
  for (const std::int64_t step : {4, 5}) {
    const std::vector<float> want = batch.expected(step);
    for (const int threads : {1, 2, 3}) {
      GraphRunner runner(batch.graph, counts, threads, {}, this->ctx());
      batch.bind(runner, step);
      runner.run();
      EXPECT_EQ(runner.read_rows(x), want) << step << ' ' << threads;
    }
    EXPECT_NE(want, of_step_four);
    of_step_four = want;
  }
}

// Without operations it gathers, bit for bit.
TYPED_TEST(AugmentOpTest, AnEmptyProgramIsGatherNormalize) {
  AugmentedBatch batch;
  batch.programs = {};
  const Value x = ops::normalize(
      batch.graph, ops::augment(batch.graph, batch.step, batch.sources(), kTwoDomains), batch.mean,
      batch.scale);
  const std::vector<ops::ImageSource> plain = {{batch.images[0], batch.indices[0]},
                                               {batch.images[1], batch.indices[1]}};
  const Value want = ops::gather_normalize(batch.graph, plain, batch.mean, batch.scale);
  batch.graph.mark_result(x);
  batch.graph.mark_result(want);
  GraphRunner runner(batch.graph, {kAugmentBatch.begin(), kAugmentBatch.end()}, 1, {}, this->ctx());
  batch.bind(runner, 2);
  runner.run();
  EXPECT_EQ(runner.read_rows(x), runner.read_rows(want));
}

TEST(AugmentOpTypes, WhatDoesNotFitIsNamed) {
  AugmentedBatch batch;
  Graph& graph = batch.graph;
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  const auto augment = [&](Value step, const std::vector<ops::AugmentedSource>& sources,
                           const ops::AugmentAttributes& attributes) {
    return [&graph, step, sources, attributes] { ops::augment(graph, step, sources, attributes); };
  };
  const auto sources = batch.sources();
  EXPECT_THAT(augment(batch.mean, sources, kTwoDomains), refused("step must be an i64 scalar"));
  EXPECT_THAT(augment(batch.step, {}, kTwoDomains), refused("no source"));
  EXPECT_THAT(augment(batch.step, {sources[1], sources[0]}, kTwoDomains),
              refused("segments must ascend"));
  EXPECT_THAT(augment(batch.step, sources, {.channels = 4}), refused("3 channels for 4"));
  EXPECT_THAT(augment(batch.step, sources, {.view = 300, .channels = 3}), refused("view 300"));
  std::vector<ops::AugmentedSource> wrong = sources;
  wrong[0].images = graph.external("small", {Dtype::kU8, {5, 7, kAugmentSide, 3}, {}});
  EXPECT_THAT(augment(batch.step, wrong, kTwoDomains), refused("do not give (7, 10, 3)"));
  wrong = sources;
  wrong[0].program = program_of({augment_operation(AugmentKind::kPosterize, 0, 9)});
  EXPECT_THAT(augment(batch.step, wrong, kTwoDomains), refused("draws from [0, 9]"));
  const Value rows = ops::augment(graph, batch.step, sources, kTwoDomains);
  const Value four = graph.external("four", {Dtype::kF32, {4}, {}});
  EXPECT_THAT([&] { ops::normalize(graph, rows, batch.mean, four); },
              refused("expected f32 (3) each"));
  EXPECT_THAT([&] { ops::normalize(graph, batch.images[0], batch.mean, batch.scale); },
              refused("is not u8 rows x (H, W, C)"));
}

}  // namespace
}  // namespace gradflip
