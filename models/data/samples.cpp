#include "models/data/samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/require.h"

namespace gradflip {
namespace {

// The first number that is not finite; the number of them all if there is none.
std::int64_t first_not_finite(std::span<const std::byte> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size() / sizeof(float));
  for (std::int64_t i = 0; i < size; ++i) {
    float value = 0.0F;
    std::memcpy(&value, bytes.data() + static_cast<std::size_t>(i) * sizeof value, sizeof value);
    if (!std::isfinite(value)) return i;
  }
  return size;
}

}  // namespace

ValueType DatasetShape::type() const {
  std::vector<std::int64_t> extents{count};
  for (int axis = 0; axis < sample.rank(); ++axis) extents.push_back(sample[axis]);
  return {dtype, Shape(extents), {}};
}

std::string noun_of(Dtype dtype) { return dtype == Dtype::kF32 ? "row" : "picture"; }

std::string text_of(const Shape& sample, Dtype dtype) {
  if (dtype != Dtype::kU8 || sample.rank() != 3) return message("rows of ", sample.text());
  return message(sample[0], "x", sample[1], "x", sample[2], " pictures");
}

Samples rows_of(std::span<const float> values, const Shape& shape) {
  const auto size = static_cast<std::int64_t>(values.size());
  GRADFLIP_REQUIRE(shape.size() > 0 && size % shape.size() == 0,
                   message("rows_of: ", size, " numbers are no rows of ", shape.text()));
  return {size / shape.size(), shape, Dtype::kF32, std::as_bytes(values)};
}

std::string fault_of(const Samples& samples, const std::string& what) {
  const bool pictures = samples.dtype == Dtype::kU8;
  if (!pictures && samples.dtype != Dtype::kF32) {
    return message(what, ": samples are ", name_of(samples.dtype),
                   ", and pictures of bytes and rows of f32 are accepted");
  }
  const std::string noun = noun_of(samples.dtype) + "s";
  if (samples.count < 0) {
    return message(what, ": the number of ", noun, " is ", samples.count, ", below 0");
  }
  if ((pictures && samples.shape.rank() != 3) || samples.shape.rank() >= Shape::kMaxRank ||
      samples.shape.size() == 0) {
    return message(what, ": ", noun, " are ", samples.shape.text(),
                   pictures ? ", and need height, width and channels"
                            : ", and need one to three extents above 0");
  }
  const std::int64_t sample_bytes = samples.shape.size() * bytes_of(samples.dtype);
  const std::uint64_t bytes = samples.bytes.size();
  if (bytes % static_cast<std::uint64_t>(sample_bytes) != 0 ||
      bytes / static_cast<std::uint64_t>(sample_bytes) !=
          static_cast<std::uint64_t>(samples.count)) {
    return message(what, ": ", samples.count, " ", noun, " of ", samples.shape.text(),
                   " do not fill ", bytes, " bytes");
  }
  if (pictures) return {};
  const std::int64_t wrong = first_not_finite(samples.bytes);
  if (wrong < samples.count * samples.shape.size()) {
    return message(what, ": row ", wrong / samples.shape.size(), " holds at ",
                   wrong % samples.shape.size(), " what is no finite number");
  }
  return {};
}

std::string fault_of(const DatasetShape& samples, std::span<const std::int32_t> labels,
                     std::int64_t num_classes, const std::string& what) {
  if (static_cast<std::uint64_t>(samples.count) != labels.size()) {
    return message(what, ": ", samples.count, " ", noun_of(samples.dtype), "s, but ", labels.size(),
                   " labels");
  }
  if (num_classes < 1 || num_classes > kMaxClasses) {
    return message(what, ": there are ", num_classes, " classes; expected 1 to ", kMaxClasses);
  }
  const auto wrong = std::find_if(labels.begin(), labels.end(), [&](std::int32_t label) {
    return label < 0 || label >= num_classes;
  });
  if (wrong == labels.end()) return {};
  return message(what, ": ", noun_of(samples.dtype), " ", wrong - labels.begin(), " has the label ",
                 *wrong, ", and ", num_classes, " classes are 0 to ", num_classes - 1);
}

}  // namespace gradflip
