#include "kernels/heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include "tests/kernels/heads_cases.h"
#include "tests/support/compare.h"
#include "tests/support/math_modes.h"
#include "tests/support/reference/bias.h"
#include "tests/support/reference/gemm.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::Each;

constexpr auto kSoftmax = HeadLoss::kSoftmaxCrossEntropy;
constexpr auto kBinary = HeadLoss::kBceWithLogits;

// A DANN's two; every number of layers, beside the first rows and beyond aligned addresses; wide
// layers, and features enough to be split; rows enough to be split; nothing at all.
const HeadsShape kHeadsShapes[] = {
    {23, 40, 2, {{0, 9, 3, {20, 12, 5}, kSoftmax, 0.1F}, {0, 23, 2, {20, 1}, kBinary}}},
    {70,
     37,
     4,
     {{3, 34, 1, {64}, kSoftmax, 1.0F},
      {70, 0, 2, {7, 3}, kSoftmax},
      {1, 69, 4, {33, 17, 9, 2}, kSoftmax},
      {69, 1, 1, {1}, kBinary, 1.0F}}},
    {18, 391, 2, {{0, 17, 3, {256, 101, 10}, kSoftmax}, {2, 16, 2, {100, 1}, kBinary, 0.2F}}},
    {600, 40, 2, {{100, 500, 2, {35, 3}, kSoftmax}, {0, 520, 1, {1}, kBinary}}},
    {0, 8, 2, {{0, 0, 2, {3, 2}, kSoftmax}, {0, 0, 1, {1}, kBinary}}},
};

// Enough for the tiles of large batches, and more row groups than there are tickets.
const HeadsShape kManyRows{8300,
                           5,
                           4,
                           {{0, 8300, 2, {3, 2}, kSoftmax},
                            {1, 8299, 1, {1}, kBinary},
                            {0, 8000, 1, {2}, kSoftmax},
                            {0, 8300, 1, {1}, kBinary}}};

// Each stage of a head against the reference of that stage. `tolerance`: of products of features.
void expect_head(const HeadsInput& input, int h, const HeadOutput& got, double tolerance) {
  const HeadsShape& shape = input.shape;
  const HeadShape& sizes = shape.heads[h];
  const HeadInput& head = input.heads[static_cast<std::size_t>(h)];
  const int last = sizes.num_layers - 1;
  const auto begin = input.features.begin() + sizes.row_begin * shape.features;
  std::vector<double> x(begin, begin + sizes.rows * shape.features);
  for (int l = 0; l <= last; ++l) {
    SCOPED_TRACE(testing::Message() << "layer " << l);
    const reference::Sums z = reference::head_layer(sizes.rows, x, widen(head.weights[l]),
                                                    widen(head.biases[l]), l < last);
    const std::vector<double> dlayer = widen(got.dlayers[l]);
    if (sizes.rows > 0) {
      EXPECT_TRUE(all_close(got.dweights[l], reference::head_weight_gradient(sizes.rows, dlayer, x),
                            tolerance));
    } else {
      EXPECT_THAT(got.dweights[l], Each(0.0F));
    }
    EXPECT_TRUE(
        all_close(got.dbiases[l], reference::bias_backward(dlayer, sizes.widths[l]), tolerance));
    if (l == last) {
      const reference::HeadResult want = reference::head_loss(sizes, z, labels_of(sizes, head));
      EXPECT_TRUE(all_close(got.loss, want.loss.loss, tolerance));
      EXPECT_TRUE(all_close(got.dlayers[l], want.loss.dlogits, tolerance));
      if (tolerance == kSum) {
        EXPECT_EQ(got.correct[0], static_cast<float>(want.correct));
      }
      continue;
    }
    EXPECT_TRUE(all_close(got.hidden[l], z, tolerance));
    x = widen(got.hidden[l]);
    EXPECT_TRUE(all_close(got.dlayers[l],
                          reference::head_hidden_gradient(sizes.rows, widen(got.dlayers[l + 1]),
                                                          widen(head.weights[l + 1]), x),
                          tolerance));
  }
}

void expect_heads(const HeadsInput& input, const HeadsOutput& got, double tolerance) {
  const HeadsShape& shape = input.shape;
  std::vector<reference::GemmTerm> terms;
  for (int h = 0; h < shape.num_heads; ++h) {
    SCOPED_TRACE(testing::Message() << "head " << h);
    const HeadOutput& head = got.heads[static_cast<std::size_t>(h)];
    const HeadInput& from = input.heads[static_cast<std::size_t>(h)];
    expect_head(input, h, head, tolerance);
    terms.push_back({widen(head.dlayers[0]), widen(from.weights[0]), shape.heads[h].row_begin,
                     shape.heads[h].rows, shape.heads[h].widths[0],
                     static_cast<double>(from.input_factor) * from.input_times});
  }
  EXPECT_TRUE(all_close(got.dfeatures, reference::gemm_terms(shape.rows, shape.features, terms),
                        tolerance));
  EXPECT_THAT(got.tickets, Each(0U));
  EXPECT_EQ(got.first_non_finite, StepState::kAllFinite);
}

TYPED_TEST_SUITE(HeadsTest, Backends, BackendNames);

TYPED_TEST(HeadsTest, MatchReference) {
  for (const HeadsShape& shape : kHeadsShapes) {
    for (const bool other_labels : {false, true}) {
      SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.features << other_labels);
      const HeadsInput input = heads_input(shape, other_labels);
      const HeadsOutput got = this->run(input);
      expect_heads(input, got, kSum);
      if (!other_labels) {
        EXPECT_EQ(this->run(input, Base::kOffByOne), got) << "off by one";
      }
    }
  }
}

TYPED_TEST(HeadsTest, ManyRowsMatchReference) {
  const HeadsInput input = heads_input(kManyRows);
  expect_heads(input, this->run(input), kSum);
}

TYPED_TEST(HeadsTest, ModesRoundOperandsOnly) {
  for (const Math math : kRoundingModes) {
    for (HeadsShape shape : kHeadsShapes) {
      shape.math = math;
      SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.features);
      HeadsInput input = heads_input(shape);
      expect_heads(input, this->run(input), sum_tolerance(math));
    }
  }
}

TYPED_TEST(HeadsTest, RepeatBitForBit) {
  for (const Math math : kMaths) {
    HeadsShape shape = kHeadsShapes[3];
    shape.math = math;
    const HeadsInput input = heads_input(shape);
    EXPECT_EQ(this->run(input), this->run(input));
  }
}

// Reversal scales what the features get and nothing else: not the head's own gradients.
TYPED_TEST(HeadsTest, TheInputScaleIsInTheFeaturesGradientAlone) {
  HeadsInput input = heads_input(kHeadsShapes[0]);
  input.heads[1].input_times = 0.5F;
  HeadsOutput half = this->run(input);
  input.heads[1].input_times = 0.0F;
  HeadsOutput none = this->run(input);
  EXPECT_EQ(none.heads, half.heads);
  EXPECT_NE(none.dfeatures, half.dfeatures);
  // Rows that only the reversed head reads.
  const std::vector<float> beyond(none.dfeatures.begin() + 9 * 40, none.dfeatures.end());
  EXPECT_THAT(beyond, Each(0.0F));
}

TYPED_TEST(HeadsTest, ANanFeatureReachesWhatDependsOnIt) {
  HeadsInput input = heads_input(kHeadsShapes[0]);
  input.features[12 * 40 + 3] = std::numeric_limits<float>::quiet_NaN();  // the second head's alone
  const HeadsOutput got = this->run(input);
  EXPECT_TRUE(std::isfinite(got.heads[0].loss[0]));
  EXPECT_TRUE(std::isnan(got.heads[1].loss[0]));
  EXPECT_LT(got.heads[1].correct[0], 23.0F);
  for (std::size_t i = 0; i < got.dfeatures.size(); ++i) {
    ASSERT_EQ(std::isnan(got.dfeatures[i]), i / 40 == 12) << i;
  }
  // Gradients lie head by head; the second's weights are the first that are not finite.
  EXPECT_EQ(got.first_non_finite, 20U * 41 + 12 * 21 + 5 * 13);
  EXPECT_THAT(got.tickets, Each(0U));
}

// The least index is noted, whichever block comes first.
TYPED_TEST(HeadsTest, AnInfiniteGradientIsNoted) {
  HeadsInput input = heads_input(kHeadsShapes[3]);
  input.features[500 * 40 + 7] = std::numeric_limits<float>::infinity();
  input.heads[0].weights[0].assign(input.heads[0].weights[0].size(), 0.25F);  // no inf - inf
  const HeadsOutput got = this->run(input);
  std::vector<float> flat;
  for (const HeadOutput& head : got.heads) {
    for (int l = 0; l < kMaxHeadLayers; ++l) {
      flat.insert(flat.end(), head.dweights[l].begin(), head.dweights[l].end());
      flat.insert(flat.end(), head.dbiases[l].begin(), head.dbiases[l].end());
    }
  }
  const auto first =
      std::find_if_not(flat.begin(), flat.end(), [](float g) { return std::isfinite(g); });
  ASSERT_NE(first, flat.end());
  EXPECT_EQ(got.first_non_finite, static_cast<std::uint64_t>(first - flat.begin()));
}

// As in softmax_cross_entropy.h: the CPU throws, a device says so in the loss and the row.
TYPED_TEST(HeadsTest, ALabelOutOfRangeDoesNotPassForALabel) {
  HeadsInput input = heads_input(kHeadsShapes[0]);
  for (const std::int32_t label : {-1, 5}) {
    input.heads[0].classes[4] = label;
    if constexpr (std::is_same_v<TypeParam, Cpu>) {
      EXPECT_THROW(this->run(input), std::invalid_argument);
    } else {
      const HeadsOutput got = this->run(input);
      EXPECT_TRUE(std::isnan(got.heads[0].loss[0]));
      const std::vector<float>& dlogits = got.heads[0].dlayers[2];
      for (std::size_t i = 0; i < dlogits.size(); ++i) {
        EXPECT_EQ(std::isnan(dlogits[i]), i / 5 == 4) << i;
      }
    }
  }
}

TYPED_TEST(HeadsTest, WorkspaceIsEnoughForSmallerBatches) {
  for (HeadsShape shape : kHeadsShapes) {
    std::int64_t forward = 0, backward = 0;
    for (std::int64_t rows = 0; rows < 9000; rows = rows * 3 / 2 + 1) {
      shape.rows = rows;
      for (HeadShape& head : shape.heads) {
        head.row_begin = 0;
        head.rows = rows;
      }
      EXPECT_GE(heads_forward_workspace_bytes(this->ctx(), shape), forward);
      EXPECT_GE(heads_backward_weights_workspace_bytes(this->ctx(), shape), backward);
      forward = heads_forward_workspace_bytes(this->ctx(), shape);
      backward = heads_backward_weights_workspace_bytes(this->ctx(), shape);
    }
  }
}

TYPED_TEST(HeadsTest, RefuseBadArguments) {
  const auto refuses = [this](const HeadsShape& shape) {
    EXPECT_THROW(this->run(heads_input(shape)), std::invalid_argument);
  };
  HeadsShape outside = kHeadsShapes[0];
  outside.heads[1].row_begin = 1;
  refuses(outside);
  HeadsShape two_logits = kHeadsShapes[0];
  two_logits.heads[1].widths[1] = 2;
  EXPECT_TRUE(heads_misfit(two_logits));
  refuses(two_logits);
  HeadsShape smoothed = kHeadsShapes[0];
  smoothed.heads[0].label_smoothing = 1.5F;
  refuses(smoothed);
  HeadsInput short_ranges = heads_input(kHeadsShapes[0]);
  short_ranges.heads[0].ranges.pop_back();
  EXPECT_THROW(this->run(short_ranges), std::invalid_argument);
}

TEST(HeadsFitTest, TellsWhatIsTooLarge) {
  const HeadsShape fits = kHeadsShapes[2];
  EXPECT_FALSE(heads_misfit(fits));
  HeadsShape changed = fits;
  changed.heads[0].widths[1] = kMaxHeadWidth + 1;
  EXPECT_TRUE(heads_misfit(changed));
  changed = fits;
  changed.heads[0].widths[2] = kMaxHeadLogits + 1;
  EXPECT_TRUE(heads_misfit(changed));
  changed = fits;
  changed.heads[0].num_layers = kMaxHeadLayers + 1;
  EXPECT_TRUE(heads_misfit(changed));
  changed = fits;
  changed.num_heads = kMaxHeads + 1;
  EXPECT_TRUE(heads_misfit(changed));
}

}  // namespace
}  // namespace gradflip
