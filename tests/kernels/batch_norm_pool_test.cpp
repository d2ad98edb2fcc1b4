#include "kernels/batch_norm_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "kernels/max_pool2d.h"
#include "tests/kernels/batch_norm_arrays.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/reference/max_pool2d.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct NormPoolSize {
  RowGroups groups;
  Pool2dShape pool;  // N is the groups' rows
};

NormPoolSize norm_pool_size(const RowGroups& groups, std::int64_t H, std::int64_t W, std::int64_t C,
                            std::int64_t window_h = 2, std::int64_t window_w = 2) {
  return {groups,
          {.N = groups.rows(),
           .H = H,
           .W = W,
           .C = C,
           .window_h = window_h,
           .window_w = window_w,
           .stride_h = window_h,
           .stride_w = window_w}};
}

// Channels about the sizes of vectors; rows and columns that fill windows, and that do not; a group
// in two runs, runs without rows; windows of one place, and of as many as a byte names.
std::vector<NormPoolSize> norm_pool_sizes() {
  return {norm_pool_size(RowGroups::one(3), 2, 2, 1),
          norm_pool_size(row_groups(2, {{2, 1}, {0, 0}, {1, 0}, {1, 1}}), 5, 7, 33),
          norm_pool_size(row_groups(2, {{1, 0}, {2, 1}}), 4, 6, 16),
          norm_pool_size(row_groups(3, {{1, 0}, {1, 2}, {1, 1}}), 7, 5, 18, 3, 2),
          norm_pool_size(RowGroups::one(2), 3, 4, 5, 1, 1),
          norm_pool_size(RowGroups::one(1), 17, 18, 3, 16, 16)};
}

template <typename Ctx>
struct PoolArrays : NormArrays<Ctx> {
  PoolArrays(const NormPoolSize& size, const Rectifier& rectifier)
      : NormArrays<Ctx>({size.groups, size.pool.H * size.pool.W, size.pool.C}, rectifier),
        pool(size.pool),
        pooled(pool.N * pool.P() * pool.Q() * pool.C),
        dpooled(random_floats(pooled, 8)),
        device_dpooled(dpooled, Base::kOffByOne),
        of_pooled(this->call) {
    of_pooled.pixels = pool.P() * pool.Q();
  }

  Pool2dShape pool;
  std::int64_t pooled;  // elements
  std::vector<float> dpooled;
  GuardedBuffer<float, Ctx> device_dpooled;
  BatchNorm of_pooled;
};

// What the two operations make, one behind the other.
template <typename Ctx>
struct BothOperations {
  BothOperations(Ctx ctx, const PoolArrays<Ctx>& arrays)
      : normalised(arrays.norm.size()), y(arrays.pooled), winner(arrays.pooled) {
    batch_norm_forward(ctx, arrays.call, arrays.device_x.data(), normalised.data());
    max_pool2d_forward(ctx, arrays.pool, normalised.data(), y.data(), winner.data());
  }

  // dy ahead of the pool.
  std::vector<float> spread(Ctx ctx, const PoolArrays<Ctx>& arrays) const {
    GuardedBuffer<float, Ctx> dy(arrays.norm.size());
    max_pool2d_backward(ctx, arrays.pool, arrays.device_dpooled.data(), winner.data(), dy.data());
    return dy.read();
  }

  GuardedBuffer<float, Ctx> normalised, y;
  GuardedBuffer<std::int32_t, Ctx> winner;
};

template <typename Ctx>
struct NormPoolRun {
  NormPoolRun(Ctx ctx, const PoolArrays<Ctx>& arrays)
      : NormPoolRun(ctx, arrays, arrays.device_x.data()) {}
  NormPoolRun(Ctx ctx, const PoolArrays<Ctx>& arrays, const float* x)
      : y(arrays.pooled, Base::kOffByOne),
        winner(arrays.pooled, Base::kOffByOne),
        at_winner(arrays.pooled, Base::kOffByOne) {
    batch_norm_pool_forward(ctx, arrays.call, arrays.pool, x, y.data(), winner.data(),
                            at_winner.data());
  }

  std::vector<std::int32_t> places() const {
    const std::vector<std::uint8_t> bytes = winner.read();
    return {bytes.begin(), bytes.end()};
  }

  GuardedBuffer<float, Ctx> y;
  GuardedBuffer<std::uint8_t, Ctx> winner;
  GuardedBuffer<float, Ctx> at_winner;
};

template <typename Ctx>
class BatchNormPoolTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(BatchNormPoolTest, Backends, BackendNames);

template <typename Ctx, typename Body>
void for_each_pooled_case(const Body& body) {
  for_each_simd_target<Ctx>([&] {
    for (const NormPoolSize& size : norm_pool_sizes()) {
      for (const Rectifier& rectifier : kRectifiers) {
        SCOPED_TRACE(testing::Message()
                     << size.pool.H << " x " << size.pool.W << " x " << size.pool.C << ", slope "
                     << rectifier.slope << ", cap " << rectifier.cap);
        PoolArrays<Ctx> arrays(size, rectifier);
        body(arrays);
      }
    }
  });
}

// Scales are of both signs: what is largest is so behind the normalisation.
TYPED_TEST(BatchNormPoolTest, ForwardHasTheBitsOfBothOperations) {
  for_each_pooled_case<TypeParam>([&](PoolArrays<TypeParam>& arrays) {
    const BothOperations<TypeParam> want(this->ctx(), arrays);
    const NormPoolRun<TypeParam> got(this->ctx(), arrays);
    EXPECT_EQ(got.y.read(), want.y.read());
    EXPECT_EQ(got.places(), want.winner.read());
    auto at_winner = this->poisoned(arrays.pooled);
    max_pool2d_take(this->ctx(), arrays.pool, arrays.device_x.data(), want.winner.data(),
                    at_winner.data());
    EXPECT_EQ(got.at_winner.read(), at_winner.read());
  });
}

TYPED_TEST(BatchNormPoolTest, SumsOfPooledValuesAreThoseOfAll) {
  for_each_pooled_case<TypeParam>([&](PoolArrays<TypeParam>& arrays) {
    const NormPoolRun<TypeParam> fused(this->ctx(), arrays);
    const std::vector<double> g = reference::behind_rectifier(
        arrays.norm, arrays.of, arrays.affine(), widen(arrays.x),
        reference::max_pool2d_backward(arrays.pool, widen(arrays.dpooled), fused.places()).value);
    auto workspace = this->template poisoned<std::uint8_t>(
        batch_norm_workspace_bytes(this->ctx(), arrays.norm.rows(), arrays.norm.C));
    auto sums = this->poisoned(arrays.norm.groups * 2 * arrays.norm.C);
    batch_norm_sums(this->ctx(), arrays.of_pooled, fused.at_winner.data(),
                    arrays.device_dpooled.data(), Write::kOverwrite, sums.data(), workspace.data());
    EXPECT_TRUE(all_close(
        sums.read(), reference::batch_norm_sums(arrays.norm, arrays.of, widen(arrays.x), g), kSum));
  });
}

TYPED_TEST(BatchNormPoolTest, BackwardHasTheBitsOfBothOperations) {
  for_each_pooled_case<TypeParam>([&](PoolArrays<TypeParam>& arrays) {
    const BothOperations<TypeParam> unfused(this->ctx(), arrays);
    const NormPoolRun<TypeParam> fused(this->ctx(), arrays);
    const auto dy = this->upload(unfused.spread(this->ctx(), arrays));
    const auto sums = this->upload(random_floats(arrays.norm.groups * 2 * arrays.norm.C, 6));
    for (std::int64_t& count : arrays.counts.of) count *= 3;  // x is a part of the batch
    for (const float* of_batch : {sums.data(), static_cast<const float*>(nullptr)}) {
      auto want = this->poisoned(arrays.norm.size());
      batch_norm_backward(this->ctx(), arrays.call, arrays.counts, arrays.device_x.data(),
                          dy.data(), of_batch, want.data());
      auto got = this->poisoned(arrays.norm.size(), Base::kOffByOne);
      batch_norm_pool_backward(this->ctx(), arrays.call, arrays.counts, arrays.pool,
                               arrays.device_x.data(), arrays.device_dpooled.data(),
                               fused.winner.data(), of_batch, got.data());
      EXPECT_EQ(got.read(), want.read());
    }
  });
}

// The same once more, without the kernels of the two operations.
TYPED_TEST(BatchNormPoolTest, MatchesReference) {
  const NormPoolSize size = norm_pool_size(row_groups(2, {{2, 1}, {1, 0}}), 5, 4, 19);
  for (const Rectifier& rectifier : kRectifiers) {
    const PoolArrays<TypeParam> arrays(size, rectifier);
    const NormPoolRun<TypeParam> fused(this->ctx(), arrays);
    const std::vector<double> x = widen(arrays.x);
    const reference::Sums normalised =
        reference::batch_norm(arrays.norm, arrays.of, arrays.affine(), x);
    const reference::MaxPool2dOutput want =
        reference::max_pool2d_forward(arrays.pool, normalised.value);
    EXPECT_TRUE(
        all_close(fused.y.read(), want.y, std::vector<double>(want.y.size(), 1.0), kElementwise));
    EXPECT_EQ(fused.places(), want.winner);

    const std::vector<double> g = reference::behind_rectifier(
        arrays.norm, arrays.of, arrays.affine(), x,
        reference::max_pool2d_backward(arrays.pool, widen(arrays.dpooled), want.winner).value);
    const std::vector<float> sums = random_floats(arrays.norm.groups * 2 * arrays.norm.C, 6);
    const auto device_sums = this->upload(sums);
    auto dx = this->poisoned(arrays.norm.size());
    batch_norm_pool_backward(this->ctx(), arrays.call, arrays.counts, arrays.pool,
                             arrays.device_x.data(), arrays.device_dpooled.data(),
                             fused.winner.data(), device_sums.data(), dx.data());
    EXPECT_TRUE(all_close(
        dx.read(),
        reference::batch_norm_backward(arrays.norm, arrays.of, arrays.affine(), x, g, widen(sums)),
        kElementwise));
  }
}

TYPED_TEST(BatchNormPoolTest, ANanBeatsEveryNumber) {
  for_each_simd_target<TypeParam>([&] {
    const PoolArrays<TypeParam> arrays(norm_pool_size(RowGroups::one(1), 2, 4, 20), {});
    std::vector<float> x = arrays.x;
    x[0 * 20 + 7] = std::numeric_limits<float>::infinity();
    x[5 * 20 + 7] = std::numeric_limits<float>::quiet_NaN();  // of the first window, its last place
    const auto device_x = this->upload(x);
    const NormPoolRun<TypeParam> fused(this->ctx(), arrays, device_x.data());
    const std::vector<float> y = fused.y.read(), at_winner = fused.at_winner.read();
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i == 7) << i;
      EXPECT_EQ(std::isnan(at_winner[i]), i == 7) << i;
    }
    EXPECT_EQ(fused.places()[7], 3);
  });
}

TYPED_TEST(BatchNormPoolTest, ABatchMayHaveNoRows) {
  PoolArrays<TypeParam> arrays(norm_pool_size(row_groups(2, {{0, 0}, {0, 1}}), 4, 5, 3), {});
  batch_norm_pool_forward(this->ctx(), arrays.call, arrays.pool, nullptr, nullptr, nullptr,
                          nullptr);
  batch_norm_pool_backward(this->ctx(), arrays.call, arrays.counts, arrays.pool, nullptr, nullptr,
                           nullptr, nullptr, nullptr);
}

TYPED_TEST(BatchNormPoolTest, RefusesWhatDoesNotFitWithItsNumbers) {
  const PoolArrays<TypeParam> arrays(norm_pool_size(RowGroups::one(1), 18, 20, 3), {});
  const auto run = [&](void (*spoil)(Pool2dShape&)) {
    return [this, &arrays, spoil] {
      Pool2dShape pool = arrays.pool;
      spoil(pool);
      batch_norm_pool_forward(this->ctx(), arrays.call, pool, nullptr, nullptr, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run([](Pool2dShape& pool) { pool.N = 2; }), refused("2 pictures"));
  EXPECT_THAT(run([](Pool2dShape& pool) { pool.W = 19; }), refused("18x19x3"));
  EXPECT_THAT(run([](Pool2dShape& pool) { pool.stride_h = 1; }), refused("stride 1x2"));
  EXPECT_THAT(run([](Pool2dShape& pool) { pool.pad_w = 1; }), refused("padding 0x1"));
  EXPECT_THAT(run([](Pool2dShape& pool) {
                pool.window_h = pool.stride_h = 17;
                pool.window_w = pool.stride_w = 16;
              }),
              refused("windows of 17x16"));
}

}  // namespace
}  // namespace gradflip
