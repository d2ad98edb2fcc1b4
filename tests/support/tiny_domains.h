// Small labelled and unlabelled sets of random 28x28 pictures for tests of training.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/domain_data.h"
#include "models/networks/paper_mnist.h"
#include "models/trainer.h"
#include "tests/support/random_data.h"

namespace gradflip {

// Pictures of `channels` channels whose class shows as a bright bar at a height of its own, over
// noise.
inline LabelledImages tiny_domain(std::int64_t count, std::int64_t channels, std::uint64_t seed) {
  LabelledImages data;
  data.images = {count, 28, 28, channels, random_bytes(count * 28 * 28 * channels, seed)};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = (n * 7 + static_cast<std::int64_t>(seed)) % 10;
    data.labels.push_back(static_cast<std::int32_t>(label));
    for (std::int64_t h = 0; h < 28; ++h) {
      for (std::int64_t i = 0; i < 28 * channels; ++i) {
        auto& pixel =
            data.images.pixels[static_cast<std::size_t>((n * 28 + h) * 28 * channels + i)];
        pixel = static_cast<std::uint8_t>(h / 2 == label + 2 ? 255 : pixel / 4);
      }
    }
  }
  return data;
}

// A grey source and a coloured target in a context's memory, for the paper's network.
class TinyDomains {
 public:
  TinyDomains(const Context& context, std::int64_t source_count, std::int64_t target_count,
              std::uint64_t seed = 1, std::vector<float> means = {60.0F, 60.0F, 60.0F})
      : source_images_(tiny_domain(source_count, 1, seed)),
        target_images_(tiny_domain(target_count, 3, seed + 1).without_labels()),
        source_(context, source_images_, "source"),
        target_(context, target_images_, "target"),
        network_(paper_mnist(digits_input(std::move(means)))) {}

  const LabelledImages& source_images() const { return source_images_; }
  const UnlabelledImages& target_images() const { return target_images_; }
  const LabelledDeviceData& source() const { return source_; }

  const Network& network() const { return network_; }

  // Of both domains; a method that does not read the target leaves it.
  TrainingData data() const { return {&source_, &target_}; }

 private:
  LabelledImages source_images_;
  UnlabelledImages target_images_;
  LabelledDeviceData source_;
  DeviceData target_;
  Network network_;
};

}  // namespace gradflip
