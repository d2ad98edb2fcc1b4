// The convolution block with operands rounded to bf16, once for every way that this machine has to
// multiply them, and on tiles in software.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/conv_block/amx/tile_conv_block.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "tests/kernels/conv_block_cases.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/reference/conv_block.h"
#include "tests/support/software_tiles.h"

namespace gradflip {
namespace {

using reference::widen;

struct Avx512Unit {
  static constexpr const char* kName = "cpu_avx512";
  static const Bf16ConvBlock* block() { return avx512_bf16_conv_block(); }
};

struct AmxUnit {
  static constexpr const char* kName = "cpu_amx";
  static const Bf16ConvBlock* block() { return amx_conv_block(); }
};

struct SoftwareUnit {
  static constexpr const char* kName = "cpu_tiles_in_software";
  static const Bf16ConvBlock* block() {
    static const Bf16ConvBlock block = tile_conv_block<SoftwareTiles>(nullptr);
    return &block;
  }
};

struct UnitNames {
  template <typename Unit>
  static std::string GetName(int /*index*/) {
    return Unit::kName;
  }
};

template <typename Unit>
class Bf16ConvBlockTest : public BackendTest<Cpu> {
 protected:
  void SetUp() override {
    BackendTest<Cpu>::SetUp();
    if (Unit::block() == nullptr) GTEST_SKIP() << "not a part of this processor";
  }
  void TearDown() override { EXPECT_FALSE(SoftwareTiles::configured()); }

  // All bits set: NaN as floats and as bf16.
  auto workspace(const ConvBlockShape& shape) const {
    const auto bytes = static_cast<std::size_t>(conv_block_workspace_bytes(Unit::block(), shape));
    return upload(std::vector<std::uint8_t>(bytes, std::uint8_t{0xFF}));
  }

  ConvBlockForward forward(const ConvBlockShape& shape, const ConvBlockTensors& tensors,
                           Base base = Base::kAligned) const {
    const auto x = upload(tensors.x, base);
    const auto filter = upload(tensors.filter, base);
    const auto bias = upload(tensors.bias, base);
    auto pooled = poisoned(tensors.pooled_size(), base);
    auto winner = poisoned<std::uint8_t>(tensors.pooled_size(), base);
    auto scratch = workspace(shape);
    conv_block_forward(Unit::block(), shape, x.data(), filter.data(), bias.data(), pooled.data(),
                       winner.data(), scratch.data());
    return {pooled.read(), winner.read()};
  }

  std::vector<float> backward_data(const ConvBlockShape& shape, const ConvBlockTensors& tensors,
                                   Base base = Base::kAligned) const {
    const auto dpooled = upload(tensors.dpooled, base);
    const auto winner = upload(tensors.winner, base);
    const auto filter = upload(tensors.filter, base);
    auto dx = poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
    auto scratch = workspace(shape);
    conv_block_backward_data(Unit::block(), shape, dpooled.data(), winner.data(), filter.data(),
                             dx.data(), scratch.data());
    return dx.read();
  }

  ConvBlockFilterGradient backward_filter(const ConvBlockShape& shape,
                                          const ConvBlockTensors& tensors,
                                          Base base = Base::kAligned) const {
    const auto x = upload(tensors.x, base);
    const auto dpooled = upload(tensors.dpooled, base);
    const auto winner = upload(tensors.winner, base);
    auto dfilter = poisoned(static_cast<std::int64_t>(tensors.filter.size()), base);
    auto dbias = poisoned(shape.conv.K, base);
    auto scratch = workspace(shape);
    conv_block_backward_filter(Unit::block(), shape, x.data(), dpooled.data(), winner.data(),
                               Write::kOverwrite, dfilter.data(), dbias.data(), scratch.data());
    return {dfilter.read(), dbias.read()};
  }
};
using Units = testing::Types<Avx512Unit, AmxUnit, SoftwareUnit>;
TYPED_TEST_SUITE(Bf16ConvBlockTest, Units, UnitNames);

TYPED_TEST(Bf16ConvBlockTest, ForwardRoundsOperandsOnly) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    const ConvBlockTensors tensors(shape);
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    EXPECT_TRUE(all_close(this->forward(shape, tensors).pooled, want.pooled, kSumBf16));

    const ConvBlockTensors exact = representable(tensors, Math::kBf16);
    const auto want_exact = reference::conv_block_forward(shape, widen(exact.x),
                                                          widen(exact.filter), widen(exact.bias));
    const ConvBlockForward got = this->forward(shape, exact);
    EXPECT_TRUE(all_close(got.pooled, want_exact.pooled, kSum));
    EXPECT_TRUE(reference::winners_match(got.winner, want_exact, shape, kSum));
    EXPECT_EQ(this->forward(shape, exact, Base::kOffByOne), got) << "off by one";
  }
}

TYPED_TEST(Bf16ConvBlockTest, BackwardDataRoundsOperandsOnly) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    const auto matches_reference = [&](const ConvBlockTensors& tensors, double tolerance) {
      const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                            tensors.winner, widen(tensors.filter));
      const std::vector<float> dx = this->backward_data(shape, tensors);
      EXPECT_TRUE(all_close(dx, want, tolerance));
      EXPECT_EQ(this->backward_data(shape, tensors, Base::kOffByOne), dx) << "off by one";
    };
    const ConvBlockTensors tensors(shape);
    matches_reference(tensors, kSumBf16);
    matches_reference(representable(tensors, Math::kBf16), kSum);
  }
}

TYPED_TEST(Bf16ConvBlockTest, BackwardFilterRoundsOperandsOnly) {
  for (ConvBlockShape shape : kConvBlockShapes) {
    // And more images than one panel has.
    for (const std::int64_t images : {shape.conv.N, shape.conv.N * 5}) {
      shape.conv.N = images;
      SCOPED_TRACE(name_of(shape));
      const auto matches_reference = [&](const ConvBlockTensors& tensors, double tolerance) {
        const auto want = reference::conv_block_backward_filter(
            shape, widen(tensors.x), widen(tensors.dpooled), tensors.winner);
        const ConvBlockFilterGradient got = this->backward_filter(shape, tensors);
        EXPECT_TRUE(all_close(got.dfilter, want.dfilter, tolerance));
        EXPECT_TRUE(all_close(got.dbias, want.dbias, kSum));
        EXPECT_EQ(this->backward_filter(shape, tensors, Base::kOffByOne), got) << "off by one";
      };
      const ConvBlockTensors tensors(shape);
      matches_reference(tensors, kSumBf16);
      matches_reference(representable(tensors, Math::kBf16), kSum);
    }
  }
}

TYPED_TEST(Bf16ConvBlockTest, AnImageDoesNotDependOnTheOthers) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    if (shape.conv.N < 2) continue;
    SCOPED_TRACE(name_of(shape));
    const ConvBlockTensors all(shape);
    ConvBlockShape single = shape;
    single.conv.N = 1;
    ConvBlockTensors last(single);
    const auto take_last = [](const auto& from, auto& to) {
      std::copy(from.end() - static_cast<std::ptrdiff_t>(to.size()), from.end(), to.begin());
    };
    take_last(all.x, last.x);
    take_last(all.dpooled, last.dpooled);
    take_last(all.winner, last.winner);

    ConvBlockForward want = this->forward(single, last);
    const ConvBlockForward got = this->forward(shape, all);
    EXPECT_TRUE(std::equal(want.pooled.rbegin(), want.pooled.rend(), got.pooled.rbegin()));
    EXPECT_TRUE(std::equal(want.winner.rbegin(), want.winner.rend(), got.winner.rbegin()));
    const std::vector<float> want_dx = this->backward_data(single, last);
    const std::vector<float> dx = this->backward_data(shape, all);
    EXPECT_TRUE(std::equal(want_dx.rbegin(), want_dx.rend(), dx.rbegin()));
  }
}

// And it reaches no value whose window does not hold it.
TYPED_TEST(Bf16ConvBlockTest, NanInputWinsAndStays) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    if (shape.conv.N == 0) continue;
    SCOPED_TRACE(name_of(shape));
    ConvBlockTensors tensors(shape);
    tensors.x[tensors.x.size() / 2] = kQuietNan;
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    const ConvBlockForward got = this->forward(shape, tensors);
    for (std::size_t i = 0; i < got.pooled.size(); ++i) {
      ASSERT_EQ(std::isnan(got.pooled[i]), std::isnan(want.pooled.value[i])) << i;
      if (!std::isnan(got.pooled[i])) continue;
      ASSERT_EQ(got.winner[i], want.winner[i]) << i;
    }
    // The reference's gradient is dense: where no winner reads it, a zero meets it.
    const auto want_gradient = reference::conv_block_backward_filter(
        shape, widen(tensors.x), widen(tensors.dpooled), tensors.winner);
    const std::vector<float> dfilter = this->backward_filter(shape, tensors).dfilter;
    for (std::size_t i = 0; i < dfilter.size(); ++i) {
      ASSERT_TRUE(!std::isnan(dfilter[i]) || std::isnan(want_gradient.dfilter.value[i])) << i;
    }
  }
}

TYPED_TEST(Bf16ConvBlockTest, NanGradientsPass) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    if (shape.conv.N == 0) continue;
    SCOPED_TRACE(name_of(shape));
    ConvBlockTensors tensors(shape);
    const std::size_t middle = tensors.dpooled.size() / 2;
    tensors.dpooled[middle] = kQuietNan;
    tensors.winner[middle] = 0;
    const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                          tensors.winner, widen(tensors.filter));
    const std::vector<float> dx = this->backward_data(shape, tensors);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      ASSERT_EQ(std::isnan(dx[i]), std::isnan(want.value[i])) << i;
    }
    const ConvBlockFilterGradient got = this->backward_filter(shape, tensors);
    const std::size_t k = middle % static_cast<std::size_t>(shape.conv.K);
    for (std::size_t i = 0; i < got.dbias.size(); ++i) {
      ASSERT_EQ(std::isnan(got.dbias[i]), i == k) << i;
    }
    for (std::size_t i = 0; i < got.dfilter.size(); ++i) {
      // Padding may have kept it from some of the channel's taps, never from another channel.
      ASSERT_TRUE(!std::isnan(got.dfilter[i]) || i % got.dbias.size() == k) << i;
    }
  }
}

TYPED_TEST(Bf16ConvBlockTest, WorkspaceIsEnoughForSmallerBatches) {
  for (ConvBlockShape shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    std::int64_t bytes = 0;
    for (std::int64_t N = 0; N < 5000; N = N * 3 / 2 + 1) {
      shape.conv.N = N;
      const std::int64_t more = conv_block_workspace_bytes(TypeParam::block(), shape);
      EXPECT_GE(more, bytes) << N;
      bytes = more;
    }
  }
}

// What the paper's layers and most others are spared, a machine with tiles has to do.
TEST(TileConvBlockTest, TakesThePapersLayers) {
  const Bf16ConvBlock tiles = tile_conv_block<SoftwareTiles>(nullptr);
  for (const ConvBlockShape& shape : {kConvBlockShapes[0], kConvBlockShapes[1]}) {
    EXPECT_TRUE(tiles.backward_data->takes(shape));
    EXPECT_TRUE(tiles.backward_filter->takes(shape));
  }
}

}  // namespace
}  // namespace gradflip
