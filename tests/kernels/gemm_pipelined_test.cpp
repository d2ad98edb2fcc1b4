// The kernel for large products on small ones, whose tiles it handles alike; and what gemm gives to
// it. On CUDA only.
#include "kernels/gemm/gemm_pipelined.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

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

constexpr Math kTensorMaths[] = {Math::kTf32, Math::kBf16};
constexpr bool kBoth[] = {false, true};

struct Size {
  std::int64_t M, N, K;
};

// Tiles are 128 x 128, warps 64 x 64, fragments 16 x 8; steps are 16 deep, and three are under way.
constexpr Size kSizes[] = {{0, 4, 4},     {4, 0, 4},      {4, 4, 0},      {1, 1, 1},
                           {7, 13, 15},   {16, 17, 16},   {63, 66, 17},   {65, 63, 48},
                           {127, 129, 3}, {129, 127, 64}, {128, 128, 65}, {130, 140, 70}};

std::int64_t rounded_up(std::int64_t size) { return (size + 3) / 4 * 4; }

// A size with lines of a multiple of four floats; what is not a line stays ragged.
GemmShape shape_of(const Size& size, bool transpose_a, bool transpose_b, Math math) {
  GemmShape shape{size.M, size.N, size.K, transpose_a, transpose_b, math};
  if (transpose_a) shape.M = rounded_up(shape.M);
  if (!transpose_b) shape.N = rounded_up(shape.N);
  if (!transpose_a || transpose_b) shape.K = rounded_up(shape.K);
  return shape;
}

template <typename Body>
void for_each_shape(const Body& body) {
  for (const Size& size : kSizes) {
    for (const bool transpose_a : kBoth) {
      for (const bool transpose_b : kBoth) {
        for (const Math math : kTensorMaths) {
          const GemmShape shape = shape_of(size, transpose_a, transpose_b, math);
          SCOPED_TRACE(testing::PrintToString(
              std::vector<std::int64_t>{shape.M, shape.N, shape.K, transpose_a, transpose_b}));
          SCOPED_TRACE(math == Math::kTf32 ? "tf32" : "bf16");
          body(shape);
        }
      }
    }
  }
}

template <typename Ctx>
class GemmPipelinedTest : public BackendTest<Ctx> {
 protected:
  std::vector<float> product(const GemmShape& shape, const std::vector<float>& a_values,
                             const std::vector<float>& b_values) {
    const auto a = this->upload(a_values);
    const auto b = this->upload(b_values);
    auto c = this->poisoned(shape.M * shape.N);
    gemm_pipelined(this->ctx(), shape, Scale{}, a.data(), b.data(), Write::kOverwrite, c.data());
    return c.read();
  }
};
using CudaOnly = testing::Types<Cuda>;
TYPED_TEST_SUITE(GemmPipelinedTest, CudaOnly, BackendNames);

TYPED_TEST(GemmPipelinedTest, RoundsNoMoreThanItMayInEveryStorage) {
  for_each_shape([this](const GemmShape& shape) {
    const std::vector<float> a = random_floats(shape.M * shape.K, 1);
    const std::vector<float> b = random_floats(shape.K * shape.N, 2);
    const auto want = reference::gemm(shape, 1.0, widen(a), widen(b));
    EXPECT_TRUE(all_close(this->product(shape, a, b), want, sum_tolerance(shape.math)));

    const std::vector<float> exact_a = representable(a, shape.math);
    const std::vector<float> exact_b = representable(b, shape.math);
    const auto exact = reference::gemm(shape, 1.0, widen(exact_a), widen(exact_b));
    EXPECT_TRUE(all_close(this->product(shape, exact_a, exact_b), exact, kSum));
  });
}

// Into a C off its alignment, too.
TYPED_TEST(GemmPipelinedTest, ScalesAndAccumulates) {
  const auto times = this->upload(std::vector<float>{-0.75F});
  for_each_shape([&](const GemmShape& shape) {
    const std::vector<float> a_values =
        representable(random_floats(shape.M * shape.K, 1), shape.math);
    const std::vector<float> b_values =
        representable(random_floats(shape.K * shape.N, 2), shape.math);
    const std::vector<float> old_values = random_floats(shape.M * shape.N, 3);
    const auto a = this->upload(a_values);
    const auto b = this->upload(b_values);
    const auto want = reference::accumulated(
        reference::gemm(shape, -1.5, widen(a_values), widen(b_values)), old_values);
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      auto c = this->upload(old_values, base);
      gemm_pipelined(this->ctx(), shape, Scale{2.0F, times.data()}, a.data(), b.data(),
                     Write::kAccumulate, c.data());
      EXPECT_TRUE(all_close(c.read(), want, kSum));
    }
  });
}

// 17 rows of tiles: one more than a group, and the last of a tile's rows only.
TYPED_TEST(GemmPipelinedTest, EveryTileOfATallProductIsComputed) {
  const GemmShape shape{.M = 16 * 128 + 1, .N = 260, .K = 4, .math = Math::kTf32};
  const std::vector<float> a = random_floats(shape.M * shape.K, 1);
  const std::vector<float> b = random_floats(shape.K * shape.N, 2);
  EXPECT_TRUE(all_close(this->product(shape, a, b), reference::gemm(shape, 1.0, widen(a), widen(b)),
                        kSumTf32));
}

TYPED_TEST(GemmPipelinedTest, RowsDoNotDependOnTheirNumber) {
  constexpr std::int64_t kM = 150;
  constexpr std::int64_t kN = 36;
  constexpr std::int64_t kK = 52;
  const std::vector<float> a = random_floats(kM * kK, 1);
  const std::vector<float> b = random_floats(kK * kN, 2);
  const std::vector<float> last_row(a.end() - kK, a.end());
  for (const Math math : kTensorMaths) {
    const std::vector<float> all = this->product({.M = kM, .N = kN, .K = kK, .math = math}, a, b);
    EXPECT_EQ(this->product({.M = 1, .N = kN, .K = kK, .math = math}, last_row, b),
              std::vector<float>(all.end() - kN, all.end()));
  }
}

TYPED_TEST(GemmPipelinedTest, NanReachesItsRowAndNoOther) {
  const GemmShape shape{.M = 5, .N = 20, .K = 24, .math = Math::kBf16};
  std::vector<float> a = random_floats(shape.M * shape.K, 1);
  a[2 * shape.K + 23] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> c = this->product(shape, a, random_floats(shape.K * shape.N, 2));
  for (std::int64_t i = 0; i < shape.M * shape.N; ++i) {
    EXPECT_EQ(std::isnan(c[i]), i / shape.N == 2) << i;
  }
}

TYPED_TEST(GemmPipelinedTest, GemmComputesLargeProductsSo) {
  const GemmShape shape{.M = 12 * 128 - 5, .N = 11 * 128 - 4, .K = 36, .math = Math::kBf16};
  const std::vector<float> a_values = random_floats(shape.M * shape.K, 1);
  const std::vector<float> b_values = random_floats(shape.K * shape.N, 2);
  const auto a = this->upload(a_values);
  const auto b = this->upload(b_values);
  ASSERT_TRUE(gemm_pipelined_pays(this->ctx(), shape, a.data(), b.data()));
  auto c = this->poisoned(shape.M * shape.N);
  gemm(this->ctx(), shape, Scale{}, a.data(), b.data(), Write::kOverwrite, c.data());
  EXPECT_EQ(c.read(), this->product(shape, a_values, b_values));
  EXPECT_TRUE(
      all_close(c.read(), reference::gemm(shape, 1.0, widen(a_values), widen(b_values)), kSumBf16));
}

TYPED_TEST(GemmPipelinedTest, TakesWhatItCanAndWhatPays) {
  alignas(16) const float matrix[8] = {};
  GpuTraits gpu{.multiprocessors = 132, .block_shared_bytes = 99 * 1024};
  const auto pays = [&](const GemmShape& shape, int off_a = 0, int off_b = 0) {
    return gemm_pipelined_pays({this->ctx().stream, &gpu}, shape, matrix + off_a, matrix + off_b);
  };
  const GemmShape large{.M = 12 * 128, .N = 11 * 128, .K = 36, .math = Math::kTf32};
  EXPECT_TRUE(pays(large));
  EXPECT_FALSE(pays(large, 1, 0));
  EXPECT_FALSE(pays(large, 0, 2));
  const auto with = [&](auto member, auto value) {
    GemmShape shape = large;
    shape.*member = value;
    return shape;
  };
  EXPECT_FALSE(pays(with(&GemmShape::math, Math::kF32)));
  EXPECT_FALSE(pays(with(&GemmShape::M, 11 * 128)));      // 121 tiles
  EXPECT_FALSE(pays(with(&GemmShape::N, 11 * 128 - 2)));  // lines of B
  EXPECT_FALSE(pays(with(&GemmShape::K, 37)));            // lines of A
  EXPECT_TRUE(pays(with(&GemmShape::M, 12 * 128 + 1)));   // nobody's lines
  EXPECT_TRUE(pays(with(&GemmShape::transpose_b, true)));
  EXPECT_FALSE(pays({.M = 200 * 128, .N = 92, .K = 64, .math = Math::kTf32}));  // narrow
  gpu.multiprocessors = 108;
  EXPECT_TRUE(pays(with(&GemmShape::M, 11 * 128)));
  gpu.multiprocessors = 144;
  EXPECT_FALSE(pays(large));
  gpu = {.multiprocessors = 108, .block_shared_bytes = 64 * 1024};
  EXPECT_FALSE(pays(large));
}

TYPED_TEST(GemmPipelinedTest, RefusesWhatItCannotCompute) {
  EXPECT_THAT(
      [this] {
        gemm_pipelined(this->ctx(), {.M = 4, .N = 4, .K = 5, .math = Math::kTf32}, Scale{}, nullptr,
                       nullptr, Write::kOverwrite, nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("4, 4, 5")));
}

}  // namespace
}  // namespace gradflip
