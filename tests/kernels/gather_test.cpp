#include "kernels/gather.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/sums.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kStored = 11;

constexpr GatherShape kBatchShapes[] = {
    {.count = 0, .pixels = 4, .stored_channels = 1, .channels = 1},
    {.count = 3, .pixels = 0, .stored_channels = 1, .channels = 3},
    {.count = 1, .pixels = 1, .stored_channels = 1, .channels = 1},
    {.count = 5, .pixels = 49, .stored_channels = 1, .channels = 1},
    {.count = 4, .pixels = 35, .stored_channels = 3, .channels = 3},
    {.count = 4, .pixels = 35, .stored_channels = 1, .channels = 3},
    {.count = 2, .pixels = 17, .stored_channels = 4, .channels = 4},
    {.count = 2, .pixels = 129, .stored_channels = 3, .channels = 3},
    {.count = 2, .pixels = 3, .stored_channels = 100, .channels = 100},
    {.count = 2, .pixels = 3, .stored_channels = 193, .channels = 193},
    {.count = 13, .pixels = 31, .stored_channels = 1, .channels = 2},
    {.count = 2, .pixels = 784, .stored_channels = 1, .channels = 3},
    {.count = 2, .pixels = 97, .stored_channels = 1, .channels = 4},
    {.count = 2, .pixels = 9, .stored_channels = 1, .channels = 5},
    {.count = 2, .pixels = 3, .stored_channels = 1, .channels = 300},
};

std::vector<std::int64_t> random_indices(std::int64_t count) {
  const std::vector<std::int32_t> labels = random_labels(count, kStored, 1);
  return {labels.begin(), labels.end()};
}

// Of bytes: means about 100, scales about 1/255, some of them negative.
struct Norms {
  std::vector<float> mean, scale;

  explicit Norms(std::int64_t channels)
      : mean(random_floats(channels, 3)), scale(random_floats(channels, 4)) {
    for (float& value : mean) value = value * 60.0F + 100.0F;
    for (float& value : scale) value = (value + 0.5F) / 255.0F;
  }
};

reference::Sums normalized(const GatherShape& shape, const std::vector<std::uint8_t>& images,
                           const std::vector<std::int64_t>& indices, const Norms& norms) {
  reference::Sums y(shape.count * shape.pixels * shape.channels);
  std::int64_t element = 0;
  for (const std::int64_t index : indices) {
    for (std::int64_t pixel = 0; pixel < shape.pixels; ++pixel) {
      for (std::int64_t c = 0; c < shape.channels; ++c, ++element) {
        const std::int64_t stored = shape.stored_channels == 1 ? 0 : c;
        const int byte = images.at((index * shape.pixels + pixel) * shape.stored_channels + stored);
        const double scale = norms.scale.at(c);
        y.add(element, scale * byte);
        y.add(element, -scale * static_cast<double>(norms.mean.at(c)));
      }
    }
  }
  return y;
}

template <typename Ctx>
class GatherTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(GatherTest, Backends, BackendNames);

TYPED_TEST(GatherTest, NormalizeMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const GatherShape& shape : kBatchShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(testing::Message() << shape.count << ' ' << shape.pixels << ' '
                                        << shape.stored_channels << ' ' << shape.channels);
        const auto images = random_bytes(kStored * shape.pixels * shape.stored_channels, 2);
        const auto indices = random_indices(shape.count);
        const Norms norms(shape.channels);
        const auto stored = this->upload(images, base);
        const auto picked = this->upload(indices);
        const auto mean = this->upload(norms.mean, base);
        const auto scale = this->upload(norms.scale, base);
        auto y = this->poisoned(shape.count * shape.pixels * shape.channels, base);
        gather_normalize(this->ctx(), shape, stored.data(), picked.data(), mean.data(),
                         scale.data(), y.data());
        EXPECT_TRUE(all_close(y.read(), normalized(shape, images, indices, norms), kElementwise));
      }
    }
  });
}

// One factor for all channels: a difference and a product, each rounded once.
TYPED_TEST(GatherTest, EqualScalesGiveTheBitsOfOneFactor) {
  constexpr GatherShape kShape{.count = 3, .pixels = 70, .stored_channels = 3, .channels = 3};
  constexpr float kFactor = 1.0F / 255.0F;
  const auto images = random_bytes(kStored * kShape.pixels * kShape.stored_channels, 2);
  const auto indices = random_indices(kShape.count);
  const std::vector<float> mean = Norms(kShape.channels).mean;
  std::vector<float> want;
  for (const std::int64_t index : indices) {
    for (std::int64_t i = 0; i < kShape.pixels * kShape.channels; ++i) {
      const std::uint8_t byte = images.at(index * kShape.pixels * kShape.channels + i);
      want.push_back((static_cast<float>(byte) - mean.at(i % kShape.channels)) * kFactor);
    }
  }
  for_each_simd_target<TypeParam>([&] {
    const auto stored = this->upload(images);
    const auto picked = this->upload(indices);
    const auto means = this->upload(mean);
    const auto scales = this->upload(std::vector<float>(kShape.channels, kFactor));
    auto y = this->poisoned(std::ssize(want));
    gather_normalize(this->ctx(), kShape, stored.data(), picked.data(), means.data(), scales.data(),
                     y.data());
    EXPECT_EQ(y.read(), want);
  });
}

TYPED_TEST(GatherTest, NormalizeAloneGivesTheBitsOfGathered) {
  constexpr GatherShape kShape{.count = 5, .pixels = 41, .stored_channels = 3, .channels = 3};
  const auto bytes = random_bytes(kShape.count * kShape.pixels * kShape.channels, 2);
  const Norms norms(kShape.channels);
  for_each_simd_target<TypeParam>([&] {
    const auto pictures = this->upload(bytes);
    const auto as_they_stand = this->upload(std::vector<std::int64_t>{0, 1, 2, 3, 4});
    const auto mean = this->upload(norms.mean);
    const auto scale = this->upload(norms.scale);
    auto want = this->poisoned(std::ssize(bytes));
    auto y = this->poisoned(std::ssize(bytes));
    gather_normalize(this->ctx(), kShape, pictures.data(), as_they_stand.data(), mean.data(),
                     scale.data(), want.data());
    normalize(this->ctx(), kShape, pictures.data(), mean.data(), scale.data(), y.data());
    EXPECT_EQ(y.read(), want.read());
  });
  GatherShape grey = kShape;
  grey.stored_channels = 1;
  EXPECT_THROW(normalize(this->ctx(), grey, nullptr, nullptr, nullptr, nullptr),
               std::invalid_argument);
}

TYPED_TEST(GatherTest, RowsFollowTheIndices) {
  for (const std::int64_t count : {0, 1, 5, 300}) {
    for (const std::int64_t D : {0, 1, 2, 3, 7, 64, 257}) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(testing::Message() << count << " x " << D);
        const std::vector<float> rows = random_floats(kStored * D, 5);
        const std::vector<std::int64_t> indices = random_indices(count);
        std::vector<float> want;
        for (const std::int64_t index : indices) {
          want.insert(want.end(), rows.begin() + index * D, rows.begin() + (index + 1) * D);
        }
        const auto stored = this->upload(rows, base);
        const auto picked = this->upload(indices);
        auto y = this->poisoned(count * D, base);
        gather_rows(this->ctx(), count, D, stored.data(), picked.data(), y.data());
        EXPECT_EQ(y.read(), want);
      }
    }
  }
}

TYPED_TEST(GatherTest, LabelsFollowTheIndices) {
  const std::vector<std::int32_t> labels = {7, 0, 65'535, 345};
  const std::vector<std::int64_t> indices = {3, 0, 0, 2, 1};
  const auto stored = this->upload(labels);
  const auto picked = this->upload(indices);
  auto out = this->template poisoned<std::int32_t>(5);
  gather_labels(this->ctx(), 5, stored.data(), picked.data(), out.data());
  EXPECT_EQ(out.read(), (std::vector<std::int32_t>{345, 7, 7, 65'535, 0}));

  auto none = this->template poisoned<std::int32_t>(0);
  gather_labels(this->ctx(), 0, stored.data(), picked.data(), none.data());
}

TYPED_TEST(GatherTest, RefusesBadArguments) {
  const auto run = [this](GatherShape shape) {
    return [this, shape] {
      gather_normalize(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run({.count = -1, .pixels = 1, .stored_channels = 1, .channels = 1}),
              refused("count is -1"));
  EXPECT_THAT(run({.count = 1, .pixels = -1, .stored_channels = 1, .channels = 1}),
              refused("pixels -1"));
  EXPECT_THAT(run({.count = 1, .pixels = 1, .stored_channels = 1, .channels = 0}),
              refused("channels 0"));
  EXPECT_THAT(run({.count = 1, .pixels = 1, .stored_channels = 3, .channels = 1}),
              refused("pictures have 3 channels, must have 1 or 1"));
  EXPECT_THROW(gather_rows(this->ctx(), -1, 2, nullptr, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(gather_rows(this->ctx(), 2, -1, nullptr, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(gather_labels(this->ctx(), -1, nullptr, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
