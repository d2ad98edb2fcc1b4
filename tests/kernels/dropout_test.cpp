#include "kernels/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

// By the header, a value at a time.
std::vector<float> expected(const Dropout& dropout, const DropoutRows& rows, std::int64_t step,
                            const std::vector<float>& x) {
  std::vector<float> y;
  const std::int64_t blocks = (dropout.units + 3) / 4;
  std::vector<DropoutRows::Run> alone;  // a row each
  for (const DropoutRows::Run& run : rows.run) {
    for (std::int64_t row = 0; row < run.rows; ++row) {
      alone.push_back({run.segment, run.begin + row, 1});
    }
  }
  for (const DropoutRows::Run& row : alone) {
    for (std::int64_t pixel = 0; pixel < dropout.pixels; ++pixel) {
      for (std::int64_t unit = 0; unit < dropout.units; ++unit) {
        const PhiloxCounter words =
            philox4x32(dropout_counter(static_cast<std::uint32_t>(unit % blocks), row.segment,
                                       row.begin, step),
                       dropout_key(dropout.seed, dropout.stream));
        const double share = words[static_cast<std::size_t>(unit / blocks)] / 4294967296.0;
        const float scale = static_cast<float>(1.0 / (1.0 - dropout.probability));
        y.push_back(share < dropout.probability ? 0.0F : x[y.size()] * scale);
      }
    }
  }
  return y;
}

template <typename Ctx>
class DropoutTest : public BackendTest<Ctx> {
 protected:
  std::vector<float> run(const Dropout& dropout, const DropoutRows& rows, std::int64_t step,
                         const std::vector<float>& x) {
    const auto input = this->upload(x, Base::kOffByOne);
    const auto steps = this->upload(std::vector<std::int64_t>{step});
    auto y = this->poisoned(static_cast<std::int64_t>(x.size()), Base::kOffByOne);
    gradflip::dropout(this->ctx(), dropout, rows, steps.data(), input.data(), y.data());
    return y.read();
  }
};
TYPED_TEST_SUITE(DropoutTest, Backends, BackendNames);

TYPED_TEST(DropoutTest, DropsWhatTheHeaderSays) {
  for_each_simd_target<TypeParam>([&] {
    for (const std::int64_t units : {1, 3, 4, 5, 33, 64, 100, 271}) {
      for (const std::int64_t pixels : {1, 3}) {
        SCOPED_TRACE(testing::Message() << units << " x " << pixels);
        const Dropout dropout{.seed = 0x123456789ABCDEFU,
                              .stream = 7,
                              .probability = 0.3,
                              .units = units,
                              .pixels = pixels};
        const DropoutRows rows{.runs = 4, .run = {{1, 5, 3}, {0, 0, 0}, {7, 2, 1}, {0, 9, 2}}};
        const std::vector<float> x = random_floats(6 * units * pixels, 1);
        const std::int64_t step = (std::int64_t{1} << 33) + 2;
        EXPECT_EQ(this->run(dropout, rows, step, x), expected(dropout, rows, step, x));
      }
    }
  });
}

TYPED_TEST(DropoutTest, DropsAsManyAsItSaysAndKeepsTheMean) {
  const Dropout dropout{.seed = 1, .probability = 0.1, .units = 20000};
  const std::vector<float> y =
      this->run(dropout, DropoutRows::of(0, 0, 2), 0, std::vector<float>(40000, 1.0F));
  double dropped = 0.0, sum = 0.0;
  for (const float value : y) {
    dropped += value == 0.0F ? 1.0 : 0.0;
    sum += value;
  }
  EXPECT_NEAR(dropped / 40000, 0.1, 0.006);  // four deviations
  EXPECT_NEAR(sum / 40000, 1.0, 0.01);
}

// Everything that a mask is drawn from makes another one.
TYPED_TEST(DropoutTest, MasksOfOthersAreOthers) {
  const std::vector<float> ones(64, 1.0F);
  const Dropout base{.seed = 1, .stream = 2, .probability = 0.5, .units = 64};
  Dropout seed = base, stream = base;
  seed.seed = 2;
  stream.stream = 3;
  const std::vector<float> mask = this->run(base, DropoutRows::of(0, 0, 1), 4, ones);
  EXPECT_EQ(this->run(base, DropoutRows::of(0, 0, 1), 4, ones), mask);
  EXPECT_NE(this->run(seed, DropoutRows::of(0, 0, 1), 4, ones), mask);
  EXPECT_NE(this->run(stream, DropoutRows::of(0, 0, 1), 4, ones), mask);
  EXPECT_NE(this->run(base, DropoutRows::of(0, 0, 1), 5, ones), mask);
  EXPECT_NE(this->run(base, DropoutRows::of(0, 1, 1), 4, ones), mask);
  EXPECT_NE(this->run(base, DropoutRows::of(1, 0, 1), 4, ones), mask);
}

TYPED_TEST(DropoutTest, ARowDoesNotDependOnHowTheBatchIsCut) {
  const Dropout dropout{.seed = 5, .probability = 0.5, .units = 37, .pixels = 2};
  const std::vector<float> x = random_floats(4 * 74, 2);
  const std::vector<float> whole = this->run(dropout, DropoutRows::of(0, 10, 4), 1, x);
  const std::vector<float> last(x.begin() + 3 * 74, x.end());
  EXPECT_EQ(this->run(dropout, DropoutRows::of(0, 13, 1), 1, last),
            std::vector<float>(whole.begin() + 3 * 74, whole.end()));
}

TYPED_TEST(DropoutTest, AProbabilityOfZeroIsTheIdentity) {
  std::vector<float> x = random_floats(50, 3);
  x[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(this->run({.probability = 0.0, .units = 50}, DropoutRows::of(0, 0, 1), 0, x), x);
}

// What is dropped leaves nothing behind.
TYPED_TEST(DropoutTest, ADroppedNanIsZero) {
  const Dropout dropout{.seed = 1, .probability = 0.5, .units = 400};
  const std::vector<float> y =
      this->run(dropout, DropoutRows::of(0, 0, 1), 0,
                std::vector<float>(400, std::numeric_limits<float>::quiet_NaN()));
  const std::vector<float> mask =
      this->run(dropout, DropoutRows::of(0, 0, 1), 0, std::vector<float>(400, 1.0F));
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), mask[i] != 0.0F) << i;
}

TYPED_TEST(DropoutTest, TakesPlaceInTheInput) {
  const Dropout dropout{.seed = 9, .probability = 0.4, .units = 45};
  const std::vector<float> x = random_floats(90, 4);
  const auto steps = this->upload(std::vector<std::int64_t>{3});
  auto both = this->upload(x);
  gradflip::dropout(this->ctx(), dropout, DropoutRows::of(0, 0, 2), steps.data(), both.data(),
                    both.data());
  EXPECT_EQ(both.read(), expected(dropout, DropoutRows::of(0, 0, 2), 3, x));
}

TYPED_TEST(DropoutTest, RefusesToDropEverything) {
  for (const double probability : {1.0, -0.1, 2.0, std::nan("")}) {
    EXPECT_THROW(gradflip::dropout(this->ctx(), {.probability = probability, .units = 1},
                                   DropoutRows::of(0, 0, 1), nullptr, nullptr, nullptr),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
