#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::int64_t kSizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 18, 31, 33, 97, 1000};
constexpr Binary kBinaries[] = {Binary::kAdd, Binary::kSubtract, Binary::kMultiply,
                                Binary::kDivide};
constexpr Unary kUnaries[] = {Unary::kExp,      Unary::kLog,     Unary::kSqrt,
                              Unary::kSquare,   Unary::kSigmoid, Unary::kTanh,
                              Unary::kSoftplus, Unary::kAbs,     Unary::kSign};

// What the header allows, in units of the last place.
double places_of(Unary function) {
  switch (function) {
    case Unary::kExp:
    case Unary::kLog:
      return 2.0;
    case Unary::kSigmoid:
    case Unary::kTanh:
    case Unary::kSoftplus:
      return 4.0;
    default:
      return 0.5;
  }
}

// A number's last place is at most so much of it.
constexpr double kLastPlace = 1.0 / (1U << 23U);
constexpr double kFourLastPlaces = 4.0 * kLastPlace;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kQuietNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> rounded(Binary function, const std::vector<float>& a,
                           const std::vector<float>& b) {
  std::vector<float> y(a);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (function == Binary::kAdd) y[i] += b.at(i);
    if (function == Binary::kSubtract) y[i] -= b.at(i);
    if (function == Binary::kMultiply) y[i] *= b.at(i);
    if (function == Binary::kDivide) y[i] /= b.at(i);
  }
  return y;
}

std::vector<double> exact(Unary function, const std::vector<float>& x) {
  std::vector<double> y = reference::widen(x);
  for (double& value : y) {
    if (function == Unary::kExp) value = std::exp(value);
    if (function == Unary::kLog) value = std::log(value);
    if (function == Unary::kSqrt) value = std::sqrt(value);
    if (function == Unary::kSquare) value *= value;
    if (function == Unary::kSigmoid) value = 1.0 / (1.0 + std::exp(-value));
    if (function == Unary::kTanh) value = std::tanh(value);
    if (function == Unary::kSoftplus) {
      value = std::max(value, 0.0) + std::log1p(std::exp(-std::abs(value)));
    }
    if (function == Unary::kAbs) value = std::abs(value);
    if (function == Unary::kSign && std::abs(value) > 0.0) value = value < 0.0 ? -1.0 : 1.0;
  }
  return y;
}

// Over most of f32's range, whose results are normal numbers; every third one near 1, where the
// logarithm's digits are scarce.
std::vector<float> arguments_of(Unary function, std::int64_t size) {
  std::vector<float> x = random_floats(size, 5);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (function == Unary::kLog || function == Unary::kSqrt) {
      x[i] = i % 3 == 0 ? 1.0F + 0.01F * x[i] : std::exp(80.0F * x[i]);
    } else {
      x[i] *= function == Unary::kSquare ? 1e3F : 87.0F;
    }
  }
  return x;
}

// A NaN where one is wanted; zeros and infinities with their signs; others up to four last places.
testing::AssertionResult same_numbers(const std::vector<float>& got,
                                      const std::vector<float>& want) {
  if (got.size() != want.size()) return testing::AssertionFailure() << got.size() << " numbers";
  for (std::size_t i = 0; i < got.size(); ++i) {
    bool same = got[i] == want[i] && std::signbit(got[i]) == std::signbit(want[i]);
    if (std::isnan(want[i])) same = std::isnan(got[i]);
    if (std::isnormal(want[i])) {
      same = std::abs(got[i] - want[i]) <= kFourLastPlaces * std::abs(want[i]);
    }
    if (same) continue;
    return testing::AssertionFailure() << "[" << i << "]: got " << got[i] << ", want " << want[i];
  }
  return testing::AssertionSuccess();
}

template <typename Ctx>
class ElementwiseTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ElementwiseTest, Backends, BackendNames);

TYPED_TEST(ElementwiseTest, FillWritesEveryElement) {
  for (const std::int64_t size : kSizes) {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      auto y = this->poisoned(size, base);
      fill(this->ctx(), size, 2.5F, y.data());
      EXPECT_EQ(y.read(), std::vector<float>(static_cast<std::size_t>(size), 2.5F));
    }
  }
}

TYPED_TEST(ElementwiseTest, BinaryIsCorrectlyRounded) {
  for_each_simd_target<TypeParam>([this] {
    for (const std::int64_t size : kSizes) {
      const std::vector<float> a_values = random_floats(size, 1);
      const std::vector<float> b_values = random_floats(size, 2);
      for (const Binary function : kBinaries) {
        const std::vector<float> want = rounded(function, a_values, b_values);
        for (const Base base : {Base::kAligned, Base::kOffByOne}) {
          const auto a = this->upload(a_values, base);
          const auto b = this->upload(b_values);
          auto y = this->poisoned(size, base);
          binary(this->ctx(), size, function, a.data(), b.data(), y.data());
          EXPECT_EQ(y.read(), want) << static_cast<int>(function) << ", size " << size;
        }
      }
    }
  });
}

TYPED_TEST(ElementwiseTest, BinaryInPlace) {
  for_each_simd_target<TypeParam>([this] {
    const std::vector<float> a_values = random_floats(37, 3);
    const std::vector<float> b_values = random_floats(37, 4);
    for (const Binary function : kBinaries) {
      auto left = this->upload(a_values);
      auto right = this->upload(b_values);
      binary(this->ctx(), 37, function, left.data(), right.data(), right.data());
      EXPECT_EQ(right.read(), rounded(function, a_values, b_values));
      binary(this->ctx(), 37, function, left.data(), left.data(), left.data());
      EXPECT_EQ(left.read(), rounded(function, a_values, a_values));
    }
  });
}

// A GPU's grid is of limited size: its threads come round again.
TYPED_TEST(ElementwiseTest, AddsMoreElementsThanAGridHasThreads) {
  constexpr std::int64_t kSize = (std::int64_t{1} << 20U) + 200'003;
  std::vector<float> values(kSize);
  for (std::int64_t i = 0; i < kSize; ++i) values[i] = static_cast<float>(i);
  for (const Base base : {Base::kAligned, Base::kOffByOne}) {
    const auto a = this->upload(values, base);
    auto y = this->upload(values, base);
    binary(this->ctx(), kSize, Binary::kAdd, a.data(), y.data(), y.data());
    const std::vector<float> got = y.read();
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < kSize; ++i) wrong += got[i] == 2.0F * values[i] ? 0 : 1;
    EXPECT_EQ(wrong, 0);
  }
}

// Eleven, so that every target computes some of them in whole vectors and some as a rest.
TYPED_TEST(ElementwiseTest, BinaryOfOddValues) {
  const std::vector<float> a = {1, -1, 0, kInf, kInf, 3e38F, 1, kQuietNan, 1, -0.0F, 0};
  const std::vector<float> b = {0, 0, 0, kInf, 0, 3e38F, -0.0F, 1, kQuietNan, 1, kInf};
  const std::vector<std::vector<float>> want = {
      {1, -1, 0, kInf, kInf, kInf, 1, kQuietNan, kQuietNan, 1, kInf},
      {1, -1, 0, kQuietNan, kInf, 0, 1, kQuietNan, kQuietNan, -1, -kInf},
      {0, -0.0F, 0, kInf, kQuietNan, kInf, -0.0F, kQuietNan, kQuietNan, -0.0F, kQuietNan},
      {kInf, -kInf, kQuietNan, kQuietNan, kInf, 1, -kInf, kQuietNan, kQuietNan, -0.0F, 0}};
  for_each_simd_target<TypeParam>([&, this] {
    const auto left = this->upload(a);
    const auto right = this->upload(b);
    auto y = this->poisoned(left.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      binary(this->ctx(), left.size(), kBinaries[i], left.data(), right.data(), y.data());
      EXPECT_TRUE(same_numbers(y.read(), want[i])) << i;
    }
  });
}

TYPED_TEST(ElementwiseTest, UnaryMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const std::int64_t size : kSizes) {
      for (const Unary function : kUnaries) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(function) << ", size " << size);
        const std::vector<float> x_values = arguments_of(function, size);
        const std::vector<double> want = exact(function, x_values);
        for (const Base base : {Base::kAligned, Base::kOffByOne}) {
          const auto x = this->upload(x_values, base);
          auto y = this->poisoned(size);
          unary(this->ctx(), size, function, x.data(), y.data());
          EXPECT_TRUE(all_close(y.read(), want, places_of(function) * kLastPlace));

          auto in_place = this->upload(x_values, base);
          unary(this->ctx(), size, function, in_place.data(), in_place.data());
          EXPECT_EQ(in_place.read(), y.read());
        }
      }
    }
  });
}

// All signs and exponents, subnormal numbers, infinities and NaNs among them.
template <typename Ctx>
std::vector<float> numbers_of_all_sizes() {
  constexpr std::uint32_t kApart = std::is_same_v<Ctx, Cpu> ? 65'537 : 1'000'003;
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32U); bits += kApart) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  return x;
}

// Its error in units of the last place of the exact value; infinite if it is another kind of number
// than the float next to that.
double places_off(float got, double exact) {
  const auto nearest = static_cast<float>(exact);
  if (std::isnan(nearest)) return std::isnan(got) ? 0.0 : kInf;
  if (got == nearest) return 0.0;
  if (!std::isfinite(got) || !std::isfinite(nearest)) return kInf;
  int exponent = 0;
  std::frexp(nearest, &exponent);
  return std::abs(got - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

TYPED_TEST(ElementwiseTest, UnaryIsExactToItsLastPlaces) {
  const std::vector<float> x = numbers_of_all_sizes<TypeParam>();
  const auto input = this->upload(x);
  for (const Unary function : kUnaries) {
    const std::vector<double> want = exact(function, x);
    for_each_simd_target<TypeParam>([&, this] {
      auto y = this->poisoned(input.size());
      unary(this->ctx(), input.size(), function, input.data(), y.data());
      const std::vector<float> got = y.read();
      std::size_t worst = 0;
      double off = 0.0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double here = places_off(got[i], want[i]);
        if (here <= off) continue;
        worst = i;
        off = here;
      }
      EXPECT_LE(off, places_of(function)) << static_cast<int>(function) << " of " << x[worst]
                                          << ": got " << got[worst] << ", want " << want[worst];
    });
  }
}

TYPED_TEST(ElementwiseTest, RootsAndSquaresAreCorrectlyRounded) {
  for_each_simd_target<TypeParam>([this] {
    for (const Unary function : {Unary::kSqrt, Unary::kSquare, Unary::kAbs, Unary::kSign}) {
      const std::vector<float> x_values = arguments_of(function, 1000);
      const std::vector<double> in_double = exact(function, x_values);
      const std::vector<float> want(in_double.begin(), in_double.end());
      const auto x = this->upload(x_values);
      auto y = this->poisoned(x.size());
      unary(this->ctx(), x.size(), function, x.data(), y.data());
      EXPECT_EQ(y.read(), want);
    }
  });
}

TYPED_TEST(ElementwiseTest, UnaryOfOddValues) {
  const std::vector<float> x = {0, -0.0F, -1, kInf, -kInf, kQuietNan, 1, 200, -200};
  const std::vector<std::vector<float>> want = {
      {1, 1, std::exp(-1.0F), kInf, 0, kQuietNan, std::exp(1.0F), kInf, 0},
      {-kInf, -kInf, kQuietNan, kInf, kQuietNan, kQuietNan, 0, std::log(200.0F), kQuietNan},
      {0, -0.0F, kQuietNan, kInf, kQuietNan, kQuietNan, 1, std::sqrt(200.0F), kQuietNan},
      {0, 0, 1, kInf, kInf, kQuietNan, 1, 40000, 40000},
      {0.5F, 0.5F, 1 / (1 + std::exp(1.0F)), 1, 0, kQuietNan, 1 / (1 + std::exp(-1.0F)), 1, 0},
      {0, -0.0F, -std::tanh(1.0F), 1, -1, kQuietNan, std::tanh(1.0F), 1, -1},
      {std::log(2.0F), std::log(2.0F), std::log1p(std::exp(-1.0F)), kInf, 0, kQuietNan,
       std::log1p(std::exp(1.0F)), 200, 0},
      {0, 0, 1, kInf, kInf, kQuietNan, 1, 200, 200},
      {0, -0.0F, -1, 1, -1, kQuietNan, 1, 1, -1}};
  for_each_simd_target<TypeParam>([&, this] {
    const auto input = this->upload(x);
    auto y = this->poisoned(input.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      unary(this->ctx(), input.size(), kUnaries[i], input.data(), y.data());
      EXPECT_TRUE(same_numbers(y.read(), want[i])) << i;
    }
  });
}

TYPED_TEST(ElementwiseTest, ScaleFollowsItsFactorInMemory) {
  for_each_simd_target<TypeParam>([this] {
    const auto times = this->upload(std::vector<float>{-0.5F});
    for (const std::int64_t size : kSizes) {
      const std::vector<float> values = random_floats(size, 4);
      auto y = this->upload(values, Base::kOffByOne);
      scale(this->ctx(), size, Scale{4.0F, times.data()}, y.data(), y.data());
      std::vector<float> want(values);
      for (float& value : want) value *= -2.0F;
      EXPECT_EQ(y.read(), want);
      const auto x = this->upload(want);
      auto z = this->poisoned(size);
      scale(this->ctx(), size, Scale{-0.5F}, x.data(), z.data());
      EXPECT_EQ(z.read(), values);
    }
  });
}

}  // namespace
}  // namespace gradflip
