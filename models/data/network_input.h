// What a network takes: the size of its pictures and how their bytes become numbers, or the size of
// its rows.
#pragma once

#include <cstdint>
#include <vector>

#include "models/data/device_data.h"
#include "runtime/shape.h"

namespace gradflip {

struct NetworkInput {
  Shape sample;              // (H, W, C) of pictures; of rows as they are
  Dtype dtype = Dtype::kU8;  // of what is stored: kU8 pictures, kF32 rows

  // Of pictures, one for each channel: byte b of channel c enters as (b - means[c]) * scales[c].
  // Rows enter as they are and have neither.
  std::vector<float> means, scales;
  // The same of the target's pictures; empty: they enter as the source's do.
  std::vector<float> target_means = {}, target_scales = {};

  bool differs() const { return !target_means.empty(); }  // between the domains
};

// One channel for each mean and scale.
NetworkInput picture_input(std::int64_t height, std::int64_t width, std::vector<float> means,
                           std::vector<float> scales);
NetworkInput row_input(std::int64_t features);

// Throws std::invalid_argument unless extents are above 0 and there is one mean and one scale per
// channel, all of them finite, and of the target none or as many.
void require_valid(const NetworkInput& input);

// Throws DataError, one line with the set's name and both sizes, unless the network takes the set's
// samples: of its own size and, of pictures, also grey ones.
void require_takes(const NetworkInput& input, const DeviceData& data);

}  // namespace gradflip
