// Which convolution blocks the kernels for the plain case take, and which of those they are good
// for. On CUDA only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <stdexcept>

#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/sampled_conv_block/sampled_conv_block_resident.h"
#include "tests/kernels/conv_block_cases.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// The paper's second layer.
const ConvBlockShape kManyChannels = {
    .conv = {.N = 3, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5, .math = Math::kBf16}};

// What none of them takes.
using Change = void (*)(ConvBlockShape&);
constexpr Change kNotPlain[] = {
    [](ConvBlockShape& shape) { shape.conv.math = Math::kF32; },
    [](ConvBlockShape& shape) { shape.conv.math = Math::kTf32x3; },
    [](ConvBlockShape& shape) { shape.conv.stride_h = 2; },
    [](ConvBlockShape& shape) { shape.conv.stride_w = 2; },
    [](ConvBlockShape& shape) { shape.conv.dilation_h = 2; },
    [](ConvBlockShape& shape) { shape.conv.dilation_w = 2; },
    [](ConvBlockShape& shape) { shape.pool_h = 1; },
    [](ConvBlockShape& shape) { shape.pool_w = 3; },
};

template <typename Ctx>
class ConvBlockResidentChoiceTest : public BackendTest<Ctx> {
 protected:
  // Contexts on GPUs of other sizes: choices only.
  Ctx with_shared_kib(std::int64_t kib) {
    gpus_.push_back(*this->ctx().gpu);
    gpus_.back().block_shared_bytes = kib * 1024;
    return {this->ctx().stream, &gpus_.back()};
  }
  Ctx with_multiprocessors(int count) {
    gpus_.push_back(*this->ctx().gpu);
    gpus_.back().multiprocessors = count;
    return {this->ctx().stream, &gpus_.back()};
  }

 private:
  std::list<GpuTraits> gpus_;
};
using CudaOnly = testing::Types<Cuda>;
TYPED_TEST_SUITE(ConvBlockResidentChoiceTest, CudaOnly, BackendNames);

TYPED_TEST(ConvBlockResidentChoiceTest, ForwardTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const ConvBlockShape& plain = kManyChannels;
  EXPECT_TRUE(conv_block_forward_resident_pays(this->ctx(), plain, data, data));
  EXPECT_FALSE(conv_block_forward_resident_can(this->ctx(), plain, data + 1, data));
  EXPECT_FALSE(conv_block_forward_resident_can(this->ctx(), plain, data, data + 2));
  const auto refuses = [&](Change change) {
    ConvBlockShape shape = plain;
    change(shape);
    EXPECT_FALSE(conv_block_forward_resident_can(this->ctx(), shape, data, data)) << name_of(shape);
  };
  for (const Change change : kNotPlain) refuses(change);
  refuses([](ConvBlockShape& shape) { shape.conv.C = 40; });
  refuses([](ConvBlockShape& shape) { shape.conv.K = 30; });
  refuses([](ConvBlockShape& shape) { shape.conv.C = 4096; });  // shared memory
  ConvBlockShape wasteful = plain;
  wasteful.conv.W = 9;  // eight windows
  EXPECT_TRUE(conv_block_forward_resident_pays(this->ctx(), wasteful, data, data));
  wasteful.conv.K = 20;
  EXPECT_FALSE(conv_block_forward_resident_pays(this->ctx(), wasteful, data, data));
  EXPECT_TRUE(conv_block_forward_resident_can(this->ctx(), wasteful, data, data));
}

TYPED_TEST(ConvBlockResidentChoiceTest, DataGradientTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  const ConvBlockShape& plain = kManyChannels;
  EXPECT_TRUE(conv_block_backward_data_resident_pays(this->ctx(), plain, data, winner, data, data));
  EXPECT_FALSE(
      conv_block_backward_data_resident_can(this->ctx(), plain, data + 1, winner, data, data));
  EXPECT_FALSE(
      conv_block_backward_data_resident_can(this->ctx(), plain, data, winner + 1, data, data));
  EXPECT_FALSE(
      conv_block_backward_data_resident_can(this->ctx(), plain, data, winner, data + 2, data));
  EXPECT_FALSE(
      conv_block_backward_data_resident_can(this->ctx(), plain, data, winner, data, data + 3));
  const auto refuses = [&](Change change) {
    ConvBlockShape shape = plain;
    change(shape);
    EXPECT_FALSE(
        conv_block_backward_data_resident_can(this->ctx(), shape, data, winner, data, data))
        << name_of(shape);
  };
  for (const Change change : kNotPlain) refuses(change);
  refuses([](ConvBlockShape& shape) { shape.conv.K = 40; });
  refuses([](ConvBlockShape& shape) { shape.conv.C = 30; });
  refuses([](ConvBlockShape& shape) { shape.conv.K = 4096; });  // shared memory
  // Tiles that lie outside of the image, for the most part.
  ConvBlockShape small = plain;
  small.conv.H = 7;
  EXPECT_TRUE(conv_block_backward_data_resident_pays(this->ctx(), small, data, winner, data, data));
  small.conv.W = 9;
  EXPECT_FALSE(
      conv_block_backward_data_resident_pays(this->ctx(), small, data, winner, data, data));
  EXPECT_TRUE(conv_block_backward_data_resident_can(this->ctx(), small, data, winner, data, data));
}

TYPED_TEST(ConvBlockResidentChoiceTest, FilterGradientTakesWhatItCanAndWhatPays) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  const ConvBlockShape& many = kManyChannels;
  const ConvBlockShape few = {
      .conv = {.N = 2, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5, .math = Math::kTf32}};
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(this->ctx(), many, data, data, winner));
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(this->ctx(), few, data, data, winner));
  ConvBlockShape large = few;
  large.conv.N = 4096;
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(this->ctx(), large, data, data, winner));
  large.conv.math = Math::kBf16;
  EXPECT_TRUE(conv_block_backward_filter_resident_pays(this->ctx(), large, data, data, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(this->ctx(), many, data + 1, data, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(this->ctx(), many, data, data + 2, winner));
  EXPECT_FALSE(conv_block_backward_filter_resident_can(this->ctx(), many, data, data, winner + 3));
  const auto refuses = [&](ConvBlockShape shape, Change change) {
    change(shape);
    EXPECT_FALSE(conv_block_backward_filter_resident_can(this->ctx(), shape, data, data, winner))
        << name_of(shape);
    EXPECT_EQ(conv_block_backward_filter_resident_parts(this->ctx(), shape), 0) << name_of(shape);
  };
  for (const Change change : kNotPlain) {
    refuses(many, change);
    refuses(few, change);
  }
  refuses(many, [](ConvBlockShape& shape) { shape.conv.K = 30; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.C = 24; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.S = 6; });
  refuses(many, [](ConvBlockShape& shape) { shape.conv.W = 512; });  // shared memory
  refuses(few, [](ConvBlockShape& shape) { shape.conv.W = 29; });
  refuses(few, [](ConvBlockShape& shape) { shape.conv.S = 27; });
  ConvBlockShape wasteful = few;
  wasteful.conv.R = 2;  // two rows of the filter where five have room
  EXPECT_FALSE(conv_block_backward_filter_resident_pays(this->ctx(), wasteful, data, data, winner));
  EXPECT_TRUE(conv_block_backward_filter_resident_can(this->ctx(), wasteful, data, data, winner));
}

TYPED_TEST(ConvBlockResidentChoiceTest, GpusWithLittleSharedMemoryTakeTheEngine) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  for (const Math math : {Math::kTf32, Math::kBf16}) {
    ConvBlockShape shape = kManyChannels;
    shape.conv.math = math;
    for (const std::int64_t kib : {48, 64, 99, 163, 227}) {
      const Cuda gpu = this->with_shared_kib(kib);
      const bool runs = kib >= 99;  // every GPU from sm_80 on
      EXPECT_EQ(conv_block_backward_data_resident_pays(gpu, shape, data, winner, data, data), runs)
          << kib;
      if (kib == 64) continue;  // the others take about so much
      EXPECT_EQ(conv_block_forward_resident_pays(gpu, shape, data, data), runs) << kib;
      EXPECT_EQ(conv_block_backward_filter_resident_pays(gpu, shape, data, data, winner), runs)
          << kib;
      EXPECT_EQ(conv_block_backward_filter_resident_parts(gpu, shape) > 0, runs) << kib;
    }
  }
}

// More than 98 KiB run where there are so many, but no GPU chooses to: all choose alike.
TYPED_TEST(ConvBlockResidentChoiceTest, WhatPaysIsTheSameOnLargerGpus) {
  alignas(16) const float data[8] = {};
  const auto* winner = reinterpret_cast<const std::uint8_t*>(data);
  ConvBlockShape deep = kManyChannels;
  deep.conv.C = 256;
  ConvBlockShape many_filters = kManyChannels;
  many_filters.conv.K = 192;
  for (const bool large : {false, true}) {
    const Cuda gpu = this->with_shared_kib(large ? 227 : 99);
    EXPECT_EQ(conv_block_forward_resident_can(gpu, deep, data, data), large);
    EXPECT_FALSE(conv_block_forward_resident_pays(gpu, deep, data, data));
    EXPECT_EQ(conv_block_backward_data_resident_can(gpu, many_filters, data, winner, data, data),
              large);
    EXPECT_FALSE(
        conv_block_backward_data_resident_pays(gpu, many_filters, data, winner, data, data));
  }
}

TYPED_TEST(ConvBlockResidentChoiceTest, PartsKeepAllMultiprocessorsAtWork) {
  ConvBlockShape shape = kManyChannels;
  shape.conv.N = 128;
  const auto parts = [&](int multiprocessors) {
    return conv_block_backward_filter_resident_parts(this->with_multiprocessors(multiprocessors),
                                                     shape);
  };
  EXPECT_EQ(parts(132), 13);  // of ten tiles
  EXPECT_EQ(parts(46), 4);
  EXPECT_EQ(parts(8), 1);
}

// A workspace is for so many images or fewer. Of these few filters, blocks take 16 or 32, by the
// number of images, and need more shared memory for 32 than this GPU has.
TYPED_TEST(ConvBlockResidentChoiceTest, FewerImagesHaveNoMoreParts) {
  ConvBlockShape shape = {.conv = {.N = 400,
                                   .H = 32,
                                   .W = 32,
                                   .C = 2,
                                   .K = 16,
                                   .R = 5,
                                   .S = 7,
                                   .pad_h = 2,
                                   .pad_w = 3,
                                   .math = Math::kTf32}};
  for (const std::int64_t kib : {99, 227}) {
    Cuda gpu = this->with_shared_kib(kib);
    GpuTraits traits = *gpu.gpu;
    traits.multiprocessors = 84;
    gpu.gpu = &traits;
    shape.conv.N = 400;
    std::int64_t most = conv_block_backward_filter_resident_parts(gpu, shape);
    while (--shape.conv.N > 0) {
      const std::int64_t parts = conv_block_backward_filter_resident_parts(gpu, shape);
      ASSERT_LE(parts, most) << shape.conv.N << " images, " << kib << " KiB";
      most = parts;
    }
  }
}

// Large pictures are cut until a piece fits, however many there are.
TYPED_TEST(ConvBlockResidentChoiceTest, SamplesAreTakenWhateverTheirNumber) {
  alignas(16) float data[4] = {};
  alignas(16) std::uint8_t winner[4] = {};
  SampledConvBlock block;
  block.filter = data;
  block.pooled = data;
  block.winner = winner;
  for (const std::int64_t N : {1, 16, 128, 4096}) {
    block.shape = {
        .conv = {.N = N, .H = 96, .W = 96, .C = 3, .K = 32, .R = 5, .S = 5, .math = Math::kTf32}};
    EXPECT_TRUE(sampled_conv_block_resident_pays(this->ctx(), block)) << N;
  }
}

TYPED_TEST(ConvBlockResidentChoiceTest, RefusesWhatItCannotCompute) {
  const ConvBlockShape shape = {
      .conv = {.N = 1, .H = 5, .W = 5, .C = 6, .K = 8, .R = 2, .S = 2, .math = Math::kTf32}};
  EXPECT_THAT(
      [&] {
        conv_block_backward_data_resident(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
  EXPECT_THAT(
      [&] {
        conv_block_forward_resident(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr,
                                    nullptr);
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
  EXPECT_THAT(
      [&] {
        conv_block_backward_filter_resident(this->ctx(), shape, nullptr, nullptr, nullptr,
                                            Write::kOverwrite, nullptr, nullptr, nullptr, {});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("C and K are 6, 8")));
}

}  // namespace
}  // namespace gradflip
