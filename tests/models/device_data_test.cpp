#include "models/data/device_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "models/data/network_input.h"
#include "runtime/device.h"
#include "runtime/errors.h"
#include "tests/support/device_test.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

// count pictures of 17x9 with five channels, and a label of 345 classes for each.
LabelledImages five_bands(std::int64_t count) {
  return {
      {count, 17, 9, 5, random_bytes(count * 17 * 9 * 5, 1)}, random_labels(count, 345, 2), 345};
}

auto data_error(const std::string& part) {
  return ThrowsMessage<DataError>(AllOf(StartsWith("the set: "), HasSubstr(part)));
}

template <typename Ctx>
class DeviceDataTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  // What lies in the context's memory, as it was on the host.
  template <typename T>
  std::vector<T> read(const void* memory, std::size_t size) const {
    std::vector<T> values(size);
    copy_to_host(device_.context, values.data(), memory,
                 static_cast<std::int64_t>(size * sizeof(T)));
    return values;
  }
};
TYPED_TEST_SUITE(DeviceDataTest, Backends, BackendNames);

TYPED_TEST(DeviceDataTest, HoldsPicturesOfAnySizeAndLabelsOfManyClasses) {
  const LabelledImages images = five_bands(7);
  const LabelledDeviceData data(this->device_.context, images, "bands");
  EXPECT_EQ(data.name(), "bands");
  EXPECT_EQ(data.count(), 7);
  EXPECT_EQ(data.num_classes(), 345);
  EXPECT_EQ(data.shape().type(), (ValueType{Dtype::kU8, {7, 17, 9, 5}, {}}));
  EXPECT_EQ(this->template read<std::uint8_t>(data.samples(), images.images.pixels.size()),
            images.images.pixels);
  EXPECT_EQ(this->template read<std::int32_t>(data.labels(), images.labels.size()), images.labels);
}

TYPED_TEST(DeviceDataTest, HoldsRowsOfNumbers) {
  const std::vector<float> points = random_floats(2 * 9, 1);
  const DeviceData data(this->device_.context, rows_of(points, {2}), "points");
  EXPECT_EQ(data.shape().type(), (ValueType{Dtype::kF32, {9, 2}, {}}));
  EXPECT_EQ(this->template read<float>(data.samples(), points.size()), points);
}

TYPED_TEST(DeviceDataTest, CopiesNothingWhereTheMemoryIsTheHosts) {
  const LabelledImages images = five_bands(3);
  const UnlabelledImages unlabelled = images.without_labels();
  const std::vector<float> points = random_floats(6, 1);
  const LabelledDeviceData labelled_data(this->device_.context, images, "labelled");
  const DeviceData unlabelled_data(this->device_.context, unlabelled, "unlabelled");
  const DeviceData point_data(this->device_.context, rows_of(points, {2}), "points");
  const auto is_at = [](const void* memory, const auto& values) { return memory == values.data(); };
  constexpr bool kOnCpu = std::is_same_v<TypeParam, Cpu>;
  EXPECT_EQ(is_at(labelled_data.samples(), images.images.pixels), kOnCpu);
  EXPECT_EQ(is_at(labelled_data.labels(), images.labels), kOnCpu);
  EXPECT_EQ(is_at(unlabelled_data.samples(), unlabelled.images.pixels), kOnCpu);
  EXPECT_EQ(is_at(point_data.samples(), points), kOnCpu);
}

TYPED_TEST(DeviceDataTest, AnEmptySetIsASet) {
  const LabelledImages images = five_bands(0);
  const LabelledDeviceData data(this->device_.context, images, "none");
  EXPECT_EQ(data.count(), 0);
  EXPECT_NO_THROW(data.require_labels_below(1));
}

TEST(DeviceDataTypes, TheTargetsTypeShowsNoLabelsAndTemporariesAreNotLookedAt) {
  static_assert(std::is_convertible_v<const LabelledDeviceData&, const DeviceData&>);
  static_assert(
      !std::is_constructible_v<LabelledDeviceData, const Context&, UnlabelledImages&, std::string>);
  static_assert(
      !std::is_constructible_v<LabelledDeviceData, const Context&, LabelledImages&&, std::string>);
  static_assert(
      !std::is_constructible_v<DeviceData, const Context&, UnlabelledImages&&, std::string>);
}

TEST(DeviceDataErrors, SamplesThatAreNotWholeAreNamed) {
  const std::vector<float> values = random_floats(12, 1);
  const auto of = [](const Samples& samples) {
    return [samples] { DeviceData(Cpu{}, samples, "the set"); };
  };
  const Samples rows = rows_of(values, {2, 3});
  EXPECT_NO_THROW(of(rows)());
  Samples wrong = rows;
  wrong.count = 3;
  EXPECT_THAT(of(wrong), data_error("3 rows of (2, 3) do not fill 48 bytes"));
  wrong.count = -1;
  EXPECT_THAT(of(wrong), data_error("the number of rows is -1"));
  wrong = rows;
  wrong.shape = {2, 0};
  EXPECT_THAT(of(wrong), data_error("(2, 0)"));
  wrong.shape = {1, 1, 2, 3};
  EXPECT_THAT(of(wrong), data_error("one to three extents"));
  wrong = {3, {2, 2}, Dtype::kU8, rows.bytes.first(12)};
  EXPECT_THAT(of(wrong), data_error("height, width and channels"));
  wrong = {6, {2}, Dtype::kI32, rows.bytes};
  EXPECT_THAT(of(wrong), data_error("i32"));
  std::vector<float> with_nan = values;
  with_nan[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(of(rows_of(with_nan, {2})), data_error("row 3 holds at 1"));
  with_nan[7] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(of(rows_of(with_nan, {2})), data_error("row 3 holds at 1"));
  EXPECT_THROW(rows_of(values, {5}), std::invalid_argument);
}

TEST(DeviceDataErrors, LabelsThatDoNotFitAreNamedWithTheirSample) {
  const std::vector<float> points = random_floats(6, 1);
  const auto of = [&](const std::vector<std::int32_t>& labels, std::int64_t num_classes) {
    return [&points, labels, num_classes] {
      LabelledDeviceData(Cpu{}, rows_of(points, {2}), labels, num_classes, "the set");
    };
  };
  EXPECT_NO_THROW(of({0, 65'535, 344}, 65'536)());
  EXPECT_THAT(of({0, 1}, 2), data_error("3 rows, but 2 labels"));
  EXPECT_THAT(of({0, 345, 344}, 345),
              data_error("row 1 has the label 345, and 345 classes are 0 to 344"));
  EXPECT_THAT(of({0, 1, -7}, 345), data_error("row 2 has the label -7"));
  EXPECT_THAT(of({0, 0, 0}, 65'537), data_error("there are 65537 classes"));
  LabelledImages images = five_bands(4);
  images.labels[2] = 345;
  EXPECT_THAT([&] { LabelledDeviceData(Cpu{}, images, "the set"); },
              data_error("picture 2 has the label 345"));
}

TEST(NetworkInputTest, NamesBothSizesWhereASetDoesNotFit) {
  const LabelledImages bands = five_bands(2);
  const std::vector<float> points = random_floats(6, 1);
  const DeviceData pictures(Cpu{}, samples_of(bands.images), "the set");
  const DeviceData rows(Cpu{}, rows_of(points, {2}), "the set");
  const NetworkInput five = picture_input(17, 9, std::vector<float>(5), std::vector<float>(5));
  EXPECT_NO_THROW(require_takes(five, pictures));
  EXPECT_NO_THROW(require_takes(row_input(2), rows));
  const auto refused = [](const NetworkInput& input, const DeviceData& data) {
    return [&input, &data] { require_takes(input, data); };
  };
  const NetworkInput turned = picture_input(9, 17, std::vector<float>(5), std::vector<float>(5));
  const NetworkInput three = picture_input(17, 9, std::vector<float>(3), std::vector<float>(3));
  const NetworkInput wide = row_input(5);
  EXPECT_THAT(refused(turned, pictures), data_error("holds 17x9x5 pictures, and the network takes "
                                                    "9x17x5 pictures or grey ones"));
  EXPECT_THAT(refused(three, pictures), data_error("takes 17x9x3 pictures"));
  EXPECT_THAT(refused(wide, rows),
              data_error("holds rows of (2), and the network takes rows of (5)"));
  EXPECT_THAT(refused(wide, pictures), data_error("holds 17x9x5 pictures"));
  EXPECT_THAT(refused(three, rows), data_error("holds rows of (2)"));
  const Images grey{2, 17, 9, 1, random_bytes(2 * 17 * 9, 1)};
  EXPECT_NO_THROW(require_takes(five, DeviceData(Cpu{}, samples_of(grey), "grey")));
}

TEST(NetworkInputTest, NeedsExtentsAndANormForEachChannel) {
  EXPECT_THROW(picture_input(17, 9, {1.0F}, {}), std::invalid_argument);
  EXPECT_THROW(picture_input(17, 9, {}, {}), std::invalid_argument);
  EXPECT_THROW(picture_input(0, 9, {1.0F}, {1.0F}), std::invalid_argument);
  EXPECT_THROW(row_input(0), std::invalid_argument);
  NetworkInput input = row_input(3);
  input.means = input.scales = {1.0F, 1.0F, 1.0F};
  EXPECT_THROW(require_valid(input), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
