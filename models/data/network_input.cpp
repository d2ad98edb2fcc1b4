#include "models/data/network_input.h"

#include <cmath>
#include <string>
#include <utility>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

void require_norms(const std::vector<float>& values, std::int64_t channels,
                   const std::string& what) {
  GRADFLIP_REQUIRE(std::ssize(values) == channels,
                   message("network input: ", values.size(), " channel ", what, "s for ", channels,
                           " channels"));
  for (const float value : values) {
    GRADFLIP_REQUIRE(std::isfinite(value),
                     message("network input: a channel ", what, " is ", value));
  }
}

// Grey pictures stand for those of any channels.
bool takes_shape(const Shape& sample, const Shape& stored, Dtype dtype) {
  if (stored == sample) return true;
  return dtype == Dtype::kU8 && stored.rank() == 3 && stored[0] == sample[0] &&
         stored[1] == sample[1] && stored[2] == 1;
}

}  // namespace

void require_valid(const NetworkInput& input) {
  const bool pictures = input.dtype == Dtype::kU8;
  GRADFLIP_REQUIRE(pictures ? input.sample.rank() == 3 : input.dtype == Dtype::kF32,
                   message("network input: ", name_of(input.dtype), " ", input.sample.text(),
                           "; expected u8 (H, W, C) or f32"));
  GRADFLIP_REQUIRE(input.sample.size() > 0,
                   message("network input: ", input.sample.text(), " is empty"));
  const std::int64_t channels = pictures ? input.sample[2] : 0;
  require_norms(input.means, channels, "mean");
  require_norms(input.scales, channels, "scale");
  GRADFLIP_REQUIRE(input.target_means.empty() == input.target_scales.empty(),
                   "network input: the target has means without scales, or scales without means");
  if (!input.differs()) return;
  require_norms(input.target_means, channels, "mean");
  require_norms(input.target_scales, channels, "scale");
}

void require_takes(const NetworkInput& input, const DeviceData& data) {
  const DatasetShape& stored = data.shape();
  if (stored.dtype == input.dtype && takes_shape(input.sample, stored.sample, input.dtype)) return;
  const bool colour = input.dtype == Dtype::kU8 && input.sample[2] > 1;
  throw DataError(message(data.name(), ": the set holds ", text_of(stored.sample, stored.dtype),
                          ", and the network takes ", text_of(input.sample, input.dtype),
                          colour ? " or grey ones" : ""));
}

NetworkInput picture_input(std::int64_t height, std::int64_t width, std::vector<float> means,
                           std::vector<float> scales) {
  NetworkInput input{
      {height, width, std::ssize(means)}, Dtype::kU8, std::move(means), std::move(scales)};
  require_valid(input);
  return input;
}

NetworkInput row_input(std::int64_t features) {
  NetworkInput input{{features}, Dtype::kF32, {}, {}};
  require_valid(input);
  return input;
}

}  // namespace gradflip
