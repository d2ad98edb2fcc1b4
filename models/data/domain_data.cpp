#include "models/data/domain_data.h"

#include <span>

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

Samples samples_of(const Images& images) {
  return {images.count,
          {images.height, images.width, images.channels},
          Dtype::kU8,
          std::as_bytes(std::span(images.pixels))};
}

std::string fault_of(const Images& images, const std::string& what) {
  if (images.count < 0) {
    return message(what, ": the number of pictures is ", images.count, ", below 0");
  }
  if (images.height <= 0 || images.width <= 0) {
    return message(what, ": pictures are ", images.height, "x", images.width, ", and need pixels");
  }
  if (images.channels <= 0) {
    return message(what, ": pictures have ", images.channels, " channels, and need one at least");
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
  return fault_of(samples_of(data.images).dataset(), data.labels, data.num_classes, what);
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
  GRADFLIP_REQUIRE(channels > 0, message("channel_means: of ", channels, " channels"));
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(channels), 0);
  std::uint64_t pixel_count = 0;
  for (const Images* set : sets) {
    GRADFLIP_REQUIRE(set != nullptr, "channel_means: a set is null");
    require_valid(*set, "channel_means");
    GRADFLIP_REQUIRE(set->channels == 1 || set->channels == channels,
                     message("channel_means: a set has ", set->channels,
                             " channels, and the means have ", channels));
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
