#include "kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/moments.h"
#include "tests/kernels/batch_norm_arrays.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using reference::widen;

template <typename Ctx>
class BatchNormTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(BatchNormTest, Backends, BackendNames);

template <typename Ctx, typename Body>
void for_each_case(const Body& body) {
  for_each_simd_target<Ctx>([&] {
    for (const NormSize& size : norm_sizes()) {
      for (const Rectifier& rectifier : kRectifiers) {
        SCOPED_TRACE(testing::Message() << size.pixels << " x " << size.C << ", slope "
                                        << rectifier.slope << ", cap " << rectifier.cap);
        body(NormArrays<Ctx>(size, rectifier));
      }
    }
  });
}

TYPED_TEST(BatchNormTest, ForwardMatchesReference) {
  for_each_case<TypeParam>([&](const NormArrays<TypeParam>& arrays) {
    auto y = this->poisoned(arrays.norm.size(), Base::kOffByOne);
    batch_norm_forward(this->ctx(), arrays.call, arrays.device_x.data(), y.data());
    const reference::Sums want =
        reference::batch_norm(arrays.norm, arrays.of, arrays.affine(), widen(arrays.x));
    EXPECT_TRUE(all_close(y.read(), want, kElementwise));

    auto in_place = this->upload(arrays.x);
    batch_norm_forward(this->ctx(), arrays.call, in_place.data(), in_place.data());
    EXPECT_EQ(in_place.read(), y.read());
  });
}

TYPED_TEST(BatchNormTest, SumsMatchReference) {
  for_each_case<TypeParam>([&](const NormArrays<TypeParam>& arrays) {
    const std::int64_t size = arrays.norm.groups * 2 * arrays.norm.C;
    const std::vector<double> g = reference::behind_rectifier(
        arrays.norm, arrays.of, arrays.affine(), widen(arrays.x), widen(arrays.dy));
    const reference::Sums want =
        reference::batch_norm_sums(arrays.norm, arrays.of, widen(arrays.x), g);
    auto workspace = this->template poisoned<std::uint8_t>(
        batch_norm_workspace_bytes(this->ctx(), arrays.norm.rows(), arrays.norm.C));
    auto sums = this->poisoned(size);
    batch_norm_sums(this->ctx(), arrays.call, arrays.device_x.data(), arrays.device_dy.data(),
                    Write::kOverwrite, sums.data(), workspace.data());
    EXPECT_TRUE(all_close(sums.read(), want, kSum));

    const std::vector<float> old = random_floats(size, 5);
    auto added = this->upload(old);
    batch_norm_sums(this->ctx(), arrays.call, arrays.device_x.data(), arrays.device_dy.data(),
                    Write::kAccumulate, added.data(), workspace.data());
    EXPECT_TRUE(all_close(added.read(), reference::accumulated(want, old), kSum));
  });
}

TYPED_TEST(BatchNormTest, BackwardMatchesReference) {
  for_each_case<TypeParam>([&](const NormArrays<TypeParam>& arrays) {
    const std::vector<double> g = reference::behind_rectifier(
        arrays.norm, arrays.of, arrays.affine(), widen(arrays.x), widen(arrays.dy));
    const std::vector<float> sums = random_floats(arrays.norm.groups * 2 * arrays.norm.C, 6);
    const auto device_sums = this->upload(sums);
    auto dx = this->upload(arrays.dy);
    batch_norm_backward(this->ctx(), arrays.call, arrays.counts, arrays.device_x.data(), dx.data(),
                        device_sums.data(), dx.data());
    EXPECT_TRUE(all_close(dx.read(),
                          reference::batch_norm_backward(arrays.norm, arrays.of, arrays.affine(),
                                                         widen(arrays.x), g, widen(sums)),
                          kElementwise));

    auto of_constants = this->poisoned(arrays.norm.size());
    batch_norm_backward(this->ctx(), arrays.call, arrays.counts, arrays.device_x.data(),
                        arrays.device_dy.data(), nullptr, of_constants.data());
    EXPECT_TRUE(all_close(of_constants.read(),
                          reference::batch_norm_backward(arrays.norm, arrays.of, arrays.affine(),
                                                         widen(arrays.x), g, {}),
                          kElementwise));
  });
}

TYPED_TEST(BatchNormTest, ParametersAddUpTheGroupsThatShareThem) {
  const std::vector<float> sums = random_floats(3 * 2 * 35, 7);
  const auto input = this->upload(sums);
  auto dscale = this->poisoned(35), dshift = this->poisoned(35);
  batch_norm_parameters(this->ctx(), 3, {.group = {true, false, true}}, 35, input.data(),
                        dscale.data(), dshift.data());
  std::vector<float> want_scale, want_shift;
  for (std::size_t c = 0; c < 35; ++c) {
    want_shift.push_back(sums[c] + sums[4 * 35 + c]);
    want_scale.push_back(sums[35 + c] + sums[5 * 35 + c]);
  }
  EXPECT_EQ(dscale.read(), want_scale);
  EXPECT_EQ(dshift.read(), want_shift);
}

TYPED_TEST(BatchNormTest, FoldsIntoTheWeightsAhead) {
  for (const FoldShape& shape : {FoldShape{.outer = 6, .K = 19}, FoldShape{.K = 5, .inner = 33}}) {
    const std::vector<float> weight = random_floats(shape.outer * shape.K * shape.inner, 8);
    const std::vector<float> moments = random_floats(kMoments * shape.K, 9);
    const std::vector<float> scale = random_floats(shape.K, 10), shift = random_floats(shape.K, 11);
    const auto device_moments = this->upload(moments), device_scale = this->upload(scale),
               device_shift = this->upload(shift);
    auto folded = this->upload(weight, Base::kOffByOne);
    auto bias = this->poisoned(shape.K);
    fold_batch_norm(this->ctx(), shape, folded.data(), device_moments.data(), device_scale.data(),
                    device_shift.data(), folded.data(), bias.data());
    std::vector<double> want;
    reference::Sums want_bias(shape.K);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const auto k = static_cast<std::int64_t>(i) / shape.inner % shape.K;
      want.push_back(double{weight[i]} * scale[k] * moments[2 * shape.K + k]);
    }
    for (std::int64_t k = 0; k < shape.K; ++k) {
      want_bias.add(k, shift[k]);
      want_bias.add(k, -double{moments[k]} * scale[k] * moments[2 * shape.K + k]);
    }
    EXPECT_TRUE(all_close(folded.read(), want, kElementwise));
    EXPECT_TRUE(all_close(bias.read(), want_bias, kElementwise));
  }
}

// The deviation is 1: y is as exact as x is.
TYPED_TEST(BatchNormTest, AMeanOfAThousandCostsNothing) {
  const NormSize size{RowGroups::one(16), 9, 24};
  NormArrays<TypeParam> arrays(size, kIdentity);
  for (float& value : arrays.x) value = 1e3F + 1.7F * value;
  const auto x = this->upload(arrays.x);
  auto of_rows = this->poisoned(16 * 2 * 24);
  auto moments = this->poisoned(kMoments * 24);
  row_moments(this->ctx(), 16, 9, 24, x.data(), of_rows.data());
  combine_moments(this->ctx(), size.groups, 9, 24, 1e-5F, of_rows.data(), moments.data());
  arrays.call.moments = moments.data();
  auto y = this->poisoned(arrays.norm.size());
  batch_norm_forward(this->ctx(), arrays.call, x.data(), y.data());
  const reference::Moments of = reference::moments(arrays.norm, widen(arrays.x));
  EXPECT_TRUE(all_close(
      y.read(), reference::batch_norm(arrays.norm, of, arrays.affine(), widen(arrays.x)).value,
      std::vector<double>(arrays.x.size(), 1.0), 1e-4));
}

TYPED_TEST(BatchNormTest, ANanPassesTheRectifier) {
  const NormSize size{RowGroups::one(1), 3, 20};
  for (const Rectifier& rectifier : kRectifiers) {
    NormArrays<TypeParam> arrays(size, rectifier);
    arrays.x[25] = std::numeric_limits<float>::quiet_NaN();
    const auto x = this->upload(arrays.x);
    auto y = this->poisoned(arrays.norm.size());
    batch_norm_forward(this->ctx(), arrays.call, x.data(), y.data());
    const std::vector<float> got = y.read();
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i == 25) << i;
  }
}

// Where there is no cap an infinity has not reached it.
TYPED_TEST(BatchNormTest, AnInfinityPassesTheGradientOfARelu) {
  for_each_simd_target<TypeParam>([&] {
    NormArrays<TypeParam> arrays({RowGroups::one(1), 1, 20}, {});
    arrays.x.assign(20, std::numeric_limits<float>::infinity());
    const auto x = this->upload(arrays.x), dy = this->upload(std::vector<float>(20, 2.0F));
    const auto scale = this->upload(std::vector<float>(20, 1.0F));
    arrays.call.scale[0] = scale.data();
    auto sums = this->poisoned(2 * 20);
    auto workspace =
        this->template poisoned<std::uint8_t>(batch_norm_workspace_bytes(this->ctx(), 1, 20));
    batch_norm_sums(this->ctx(), arrays.call, x.data(), dy.data(), Write::kOverwrite, sums.data(),
                    workspace.data());
    const std::vector<float> got = sums.read();
    for (std::size_t c = 0; c < 20; ++c) EXPECT_EQ(got[c], 2.0F) << c;
  });
}

TYPED_TEST(BatchNormTest, ABatchWithoutRowsHasSumsOfZero) {
  NormArrays<TypeParam> arrays({row_groups(2, {{0, 0}, {0, 1}}), 4, 5}, kIdentity);
  auto sums = this->poisoned(2 * 2 * 5);
  batch_norm_sums(this->ctx(), arrays.call, nullptr, nullptr, Write::kOverwrite, sums.data(),
                  nullptr);
  EXPECT_EQ(sums.read(), std::vector<float>(20, 0.0F));
  batch_norm_forward(this->ctx(), arrays.call, nullptr, nullptr);
  batch_norm_backward(this->ctx(), arrays.call, arrays.counts, nullptr, nullptr, sums.data(),
                      nullptr);
}

// Of a batch's own moments, which are a function of x.
TEST(BatchNormReferenceTest, BackwardIsTheDerivativeOfForward) {
  for (const Rectifier& rectifier : kRectifiers) {
    const NormArrays<Cpu> arrays({row_groups(2, {{2, 1}, {2, 0}, {1, 1}}), 3, 2}, rectifier);
    const auto forward = [&](const std::vector<double>& x) {
      return reference::batch_norm(arrays.norm, reference::moments(arrays.norm, x), arrays.affine(),
                                   x)
          .value;
    };
    const std::vector<double> x = widen(arrays.x), dy = widen(arrays.dy);
    const std::vector<double> g =
        reference::behind_rectifier(arrays.norm, arrays.of, arrays.affine(), x, dy);
    const reference::Sums sums = reference::batch_norm_sums(arrays.norm, arrays.of, x, g);
    const reference::Sums dx =
        reference::batch_norm_backward(arrays.norm, arrays.of, arrays.affine(), x, g, sums.value);
    EXPECT_TRUE(gradients_match(dx.value, central_differences(forward, x, dy)));
  }
}

}  // namespace
}  // namespace gradflip
