#include "models/domain_data.h"

#include <algorithm>
#include <limits>

#include "kernels/require.h"

namespace gradflip {
namespace {

// The product of the factors, or -1 if it exceeds std::int64_t.
std::int64_t product_of(const std::vector<std::int64_t>& factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) return -1;
  }
  return product;
}

}  // namespace

std::string fault_of(const Images& images, const std::string& what) {
  if (images.count < 0) {
    return message(what, ": the number of pictures is ", images.count, ", below 0");
  }
  if (images.height <= 0 || images.width <= 0) {
    return message(what, ": pictures are ", images.height, "x", images.width, ", and need pixels");
  }
  if (images.channels != 1 && images.channels != 3) {
    return message(what, ": pictures have ", images.channels,
                   " channels, and 1 (grey) or 3 (colour) are accepted");
  }
  const std::int64_t bytes =
      product_of({images.count, images.height, images.width, images.channels});
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) != images.pixels.size()) {
    return message(what, ": ", images.count, " pictures of ", images.height, "x", images.width, "x",
                   images.channels, " do not fill ", images.pixels.size(), " bytes");
  }
  return {};
}

std::string fault_of(const LabelledImages& data, const std::string& what) {
  if (std::string fault = fault_of(data.images, what); !fault.empty()) return fault;
  if (static_cast<std::uint64_t>(data.images.count) != data.labels.size()) {
    return message(what, ": ", data.images.count, " pictures, but ", data.labels.size(), " labels");
  }
  if (data.num_classes < 1 || data.num_classes > kMaxClasses) {
    return message(what, ": there are ", data.num_classes, " classes; expected 1 to ", kMaxClasses);
  }
  const auto out_of_range =
      std::find_if(data.labels.begin(), data.labels.end(),
                   [&](std::int32_t label) { return label < 0 || label >= data.num_classes; });
  if (out_of_range != data.labels.end()) {
    return message(what, ": picture ", out_of_range - data.labels.begin(), " has the label ",
                   *out_of_range, ", and ", data.num_classes, " classes are 0 to ",
                   data.num_classes - 1);
  }
  return {};
}

void require_valid(const Images& images, const std::string& what) {
  const std::string fault = fault_of(images, what);
  GRADFLIP_REQUIRE(fault.empty(), fault);
}

void require_valid(const LabelledImages& data, const std::string& what) {
  const std::string fault = fault_of(data, what);
  GRADFLIP_REQUIRE(fault.empty(), fault);
}

std::vector<float> channel_means(const std::vector<const Images*>& sets, std::int64_t channels) {
  GRADFLIP_REQUIRE(channels == 1 || channels == 3,
                   message("channel_means: ", channels, " channels, and 1 or 3 are accepted"));
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(channels), 0);
  std::uint64_t pixel_count = 0;
  for (const Images* set : sets) {
    GRADFLIP_REQUIRE(set != nullptr, "channel_means: a set is null");
    require_valid(*set, "channel_means");
    GRADFLIP_REQUIRE(
        set->channels == 1 || set->channels == channels,
        message("channel_means: a set has ", set->channels, " channels, more than ", channels));
    pixel_count += static_cast<std::uint64_t>(set->count * set->pixels_per_image());
    if (set->channels == 1) {
      std::uint64_t sum = 0;
      for (const std::uint8_t value : set->pixels) sum += value;
      for (std::uint64_t& channel_sum : sums) channel_sum += sum;
    } else {
      for (std::size_t first = 0; first < set->pixels.size(); first += sums.size()) {
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += set->pixels[first + c];
      }
    }
  }
  GRADFLIP_REQUIRE(pixel_count > 0, "channel_means: there is no picture to take the mean of");
  std::vector<float> means;
  means.reserve(sums.size());
  for (const std::uint64_t sum : sums) {
    means.push_back(
        static_cast<float>(static_cast<double>(sum) / static_cast<double>(pixel_count)));
  }
  return means;
}

}  // namespace gradflip
