#include "kernels/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/math_modes.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/gemm.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Size {
  std::int64_t M, N, K;
};

// Vector widths are 1, 4, 8 and 16; tiles have 3 or 4 rows, 4 or 8 dot products, up to 6 vectors.
constexpr Size kSizes[] = {
    {0, 3, 2},    {3, 0, 2},     {2, 3, 0},     {1, 1, 1},    {1, 10, 7},    {2, 4, 16},
    {3, 5, 17},   {4, 7, 3},     {5, 8, 31},    {6, 9, 33},   {7, 13, 64},   {8, 16, 2},
    {9, 17, 19},  {3, 18, 5},    {10, 31, 48},  {11, 33, 1},  {13, 47, 100}, {32, 100, 100},
    {32, 10, 97}, {32, 1, 100},  {31, 96, 50},  {33, 97, 65}, {5, 112, 30},  {4, 130, 129},
    {100, 67, 8}, {1, 100, 768}, {16, 100, 768}};

// Tiles on CUDA are 32 or 64 rows, 16 or 32 columns, and 64, or from K = 512 on 128, deep.
constexpr Size kTileSizes[] = {{31, 15, 15}, {32, 16, 16}, {33, 17, 17},  {31, 31, 63},
                               {32, 32, 64}, {33, 33, 65}, {40, 33, 511}, {33, 36, 513}};

constexpr bool kBoth[] = {false, true};

std::string name_of(const GemmShape& shape) {
  return testing::PrintToString(
      std::vector<std::int64_t>{shape.M, shape.N, shape.K, shape.transpose_a, shape.transpose_b});
}

template <typename Ctx>
class GemmTest : public BackendTest<Ctx> {
 protected:
  std::vector<float> product(const GemmShape& shape, const std::vector<float>& a_values,
                             const std::vector<float>& b_values, Base base = Base::kAligned) {
    const auto a = this->upload(a_values, base);
    const auto b = this->upload(b_values, base);
    auto c = this->poisoned(shape.M * shape.N, base);
    gemm(this->ctx(), shape, Scale{}, a.data(), b.data(), Write::kOverwrite, c.data());
    return c.read();
  }
};
TYPED_TEST_SUITE(GemmTest, Backends, BackendNames);

TYPED_TEST(GemmTest, MatchesReferenceInEveryStorage) {
  for_each_simd_target<TypeParam>([this] {
    for (const auto& [M, N, K] : kSizes) {
      const std::vector<float> a = random_floats(M * K, 1);
      const std::vector<float> b = random_floats(K * N, 2);
      for (const bool transpose_a : kBoth) {
        for (const bool transpose_b : kBoth) {
          const GemmShape shape{M, N, K, transpose_a, transpose_b};
          SCOPED_TRACE(name_of(shape));
          const auto want = reference::gemm(shape, 1.0, widen(a), widen(b));
          EXPECT_TRUE(all_close(this->product(shape, a, b), want, kSum));
        }
      }
    }
  });
}

TYPED_TEST(GemmTest, ScalesAndAccumulates) {
  for_each_simd_target<TypeParam>([this] {
    const auto times = this->upload(std::vector<float>{-0.75F});
    for (const auto& [M, N, K] : kSizes) {
      const std::vector<float> a_values = random_floats(M * K, 1);
      const std::vector<float> b_values = random_floats(K * N, 2);
      const std::vector<float> old_values = random_floats(M * N, 3);
      const auto a = this->upload(a_values, Base::kOffByOne);
      const auto b = this->upload(b_values, Base::kOffByOne);
      for (const bool transpose_a : kBoth) {
        for (const bool transpose_b : kBoth) {
          const GemmShape shape{M, N, K, transpose_a, transpose_b};
          SCOPED_TRACE(name_of(shape));
          const auto want = reference::gemm(shape, -1.5, widen(a_values), widen(b_values));
          auto c = this->upload(old_values, Base::kOffByOne);
          gemm(this->ctx(), shape, Scale{2.0F, times.data()}, a.data(), b.data(),
               Write::kAccumulate, c.data());
          EXPECT_TRUE(all_close(c.read(), reference::accumulated(want, old_values), kSum));
          gemm(this->ctx(), shape, Scale{-1.5F}, a.data(), b.data(), Write::kOverwrite, c.data());
          EXPECT_TRUE(all_close(c.read(), want, kSum));
        }
      }
    }
  });
}

// What a row of C is depends on its row of A only: not on the other rows, nor on alignment.
TYPED_TEST(GemmTest, RowsDoNotDependOnTheirNumberOrOnAlignment) {
  for_each_simd_target<TypeParam>([this] {
    constexpr std::int64_t kN = 37;
    constexpr std::int64_t kK = 45;
    const std::vector<float> a = random_floats(11 * kK, 1);
    const std::vector<float> b = random_floats(kK * kN, 2);
    for (const bool transpose_b : kBoth) {
      const GemmShape all{11, kN, kK, false, transpose_b};
      const std::vector<float> want = this->product(all, a, b);
      EXPECT_EQ(this->product(all, a, b, Base::kOffByOne), want);
      for (std::int64_t m = 0; m < all.M; ++m) {
        const std::vector<float> row(a.begin() + m * kK, a.begin() + (m + 1) * kK);
        const std::vector<float> want_row(want.begin() + m * kN, want.begin() + (m + 1) * kN);
        EXPECT_EQ(this->product({1, kN, kK, false, transpose_b}, row, b), want_row) << m;
      }
    }
  });
}

TYPED_TEST(GemmTest, NanReachesItsRowAndNoOther) {
  for_each_simd_target<TypeParam>([this] {
    for (const bool transpose_b : kBoth) {
      const GemmShape shape{5, 19, 23, false, transpose_b};
      std::vector<float> a = random_floats(5 * 23, 1);
      a[2 * 23 + 22] = kNan;
      const std::vector<float> c = this->product(shape, a, random_floats(23 * 19, 2));
      for (std::int64_t i = 0; i < 5 * 19; ++i) EXPECT_EQ(std::isnan(c[i]), i / 19 == 2) << i;
    }
  });
}

TYPED_TEST(GemmTest, MathModesRoundNoMoreThanTheyMay) {
  for (const auto& [M, N, K] : kTileSizes) {
    const std::vector<float> a = random_floats(M * K, 1);
    const std::vector<float> b = random_floats(K * N, 2);
    for (const bool transpose_a : kBoth) {
      for (const bool transpose_b : kBoth) {
        for (const Math math : kMaths) {
          const GemmShape shape{M, N, K, transpose_a, transpose_b, math};
          SCOPED_TRACE(name_of(shape));
          const auto want = reference::gemm(shape, 1.0, widen(a), widen(b));
          EXPECT_TRUE(all_close(this->product(shape, a, b), want, sum_tolerance(math)));

          const std::vector<float> exact_a = representable(a, math);
          const std::vector<float> exact_b = representable(b, math);
          const auto exact = reference::gemm(shape, 1.0, widen(exact_a), widen(exact_b));
          EXPECT_TRUE(all_close(this->product(shape, exact_a, exact_b), exact, kSum));
        }
      }
    }
  }
}

// Operands whose low bits tf32 drops.
TYPED_TEST(GemmTest, Tf32x3SeesWhatTf32DoesNot) {
  constexpr std::int64_t kM = 33, kN = 34, kK = 40;
  const std::vector<float> a(kM * kK, 1.0F + 0x1p-12F), b(kK * kN, 1.0F + 0x1p-12F);
  GemmShape shape{.M = kM, .N = kN, .K = kK, .math = Math::kTf32x3};
  const auto want = reference::gemm(shape, 1.0, widen(a), widen(b));
  EXPECT_TRUE(all_close(this->product(shape, a, b), want, 1e-6));
  shape.math = Math::kTf32;
  EXPECT_EQ(static_cast<bool>(all_close(this->product(shape, a, b), want, 1e-4)),
            !computes_in(this->ctx(), Math::kTf32));
}

TYPED_TEST(GemmTest, WhatIsNotFiniteStaysSoInEveryMode) {
  constexpr std::int64_t kM = 20, kN = 24, kK = 24;
  for (const Math math : kMaths) {
    for (const float odd :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> a(kM * kK, 1.0F);
      a[3 * kK + 5] = odd;
      const std::vector<float> c = this->product({.M = kM, .N = kN, .K = kK, .math = math}, a,
                                                 std::vector<float>(kK * kN, 1.0F));
      for (std::int64_t i = 0; i < kM * kN; ++i) {
        EXPECT_EQ(std::isfinite(c[static_cast<std::size_t>(i)]), i / kN != 3) << i;
      }
    }
  }
}

// So many tiles that CUDA takes its large ones, which are not to change a bit.
TYPED_TEST(GemmTest, RowsOfALargeProductAreThoseOfASmallOne) {
  constexpr std::int64_t kM = 2113;
  constexpr std::int64_t kN = 250;
  constexpr std::int64_t kK = 19;
  constexpr std::int64_t kFew = 5;
  const std::vector<float> a = random_floats(kM * kK, 1);
  const std::vector<float> b = random_floats(kK * kN, 2);
  const std::vector<float> last_rows(a.end() - kFew * kK, a.end());
  for (const Math math : kMaths) {
    const GemmShape shape{.M = kM, .N = kN, .K = kK, .math = math};
    const std::vector<float> all = this->product(shape, a, b);
    EXPECT_TRUE(
        all_close(all, reference::gemm(shape, 1.0, widen(a), widen(b)), sum_tolerance(math)));
    const GemmShape few{.M = kFew, .N = kN, .K = kK, .math = math};
    EXPECT_EQ(this->product(few, last_rows, b),
              std::vector<float>(all.end() - kFew * kN, all.end()));
  }
}

struct Term {
  std::int64_t row_begin, M, K;
  float factor;
};

TYPED_TEST(GemmTest, TermsAddUpOverTheirRows) {
  const std::vector<std::vector<Term>> cases = {
      {},
      {{0, 9, 4, 1.0F}},
      {{0, 5, 6, 1.0F}, {0, 9, 8, -0.5F}},  // the label head's rows, and all rows
      {{3, 4, 5, 2.0F}},                    // rows above and below are nobody's
      {{1, 5, 3, 1.0F}, {4, 5, 2, 1.0F}, {2, 1, 7, -1.0F}},
      {{2, 0, 3, 1.0F}, {0, 4, 0, 1.0F}},  // no rows; nothing to sum
  };
  for_each_simd_target<TypeParam>([&] {
    constexpr std::int64_t kRows = 9;
    for (const std::int64_t N : {std::int64_t{1}, std::int64_t{7}, std::int64_t{50}}) {
      for (const std::vector<Term>& parts : cases) {
        std::vector<std::unique_ptr<GuardedBuffer<float, TypeParam>>> buffers;
        const auto keep = [&](const std::vector<float>& values) {
          buffers.push_back(std::make_unique<GuardedBuffer<float, TypeParam>>(values));
          return buffers.back()->data();
        };
        std::vector<GemmTerm> terms;
        std::vector<reference::GemmTerm> want;
        for (const Term& part : parts) {
          const std::uint64_t seed = 10 * terms.size() + 5;
          const std::vector<float> a = random_floats(part.M * part.K, seed);
          const std::vector<float> b = random_floats(part.K * N, seed + 1);
          terms.push_back({keep(a), keep(b), part.row_begin, part.M, part.K, Scale{part.factor}});
          want.push_back({widen(a), widen(b), part.row_begin, part.M, part.K, part.factor});
        }
        for (const Math math : kMaths) {
          auto c = this->poisoned(kRows * N);
          gemm_terms(this->ctx(), kRows, N, terms, math, c.data());
          EXPECT_TRUE(
              all_close(c.read(), reference::gemm_terms(kRows, N, want), sum_tolerance(math)))
              << terms.size() << " terms";
        }
      }
    }
  });
}

TYPED_TEST(GemmTest, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(
      [this] {
        gemm(this->ctx(), {.M = -1, .N = 2, .K = 3}, Scale{}, nullptr, nullptr, Write::kOverwrite,
             nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("-1, 2, 3")));
  const GemmTerm beyond[] = {{.row_begin = 3, .M = 2, .K = 1, .scale = {}}};
  EXPECT_THAT([&] { gemm_terms(this->ctx(), 4, 1, beyond, Math::kF32, nullptr); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("rows 3 to 5")));
}

}  // namespace
}  // namespace gradflip
