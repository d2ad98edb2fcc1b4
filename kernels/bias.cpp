#include "kernels/bias.h"

#include <algorithm>
#include <array>

#include "kernels/require.h"

namespace gradflip {
namespace {

// Channels summed together: their sums in double stay in the first-level cache, and a narrower
// activation is read once, in order.
constexpr std::int64_t kChannelBlock = 64;

void require_valid(std::int64_t rows, std::int64_t channels) {
  GRADFLIP_REQUIRE(rows >= 0 && channels >= 0,
                   message("bias: ", rows, " rows of ", channels, " channels; both must be >= 0"));
}

}  // namespace

void bias_forward(Cpu /*ctx*/, std::int64_t rows, std::int64_t channels, const float* x,
                  const float* bias, float* y) {
  require_valid(rows, channels);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      y[i * channels + c] = x[i * channels + c] + bias[c];
    }
  }
}

void bias_backward(Cpu /*ctx*/, std::int64_t rows, std::int64_t channels, const float* dy,
                   Write write, float* dbias) {
  require_valid(rows, channels);
  for (std::int64_t begin = 0; begin < channels; begin += kChannelBlock) {
    const std::int64_t count = std::min(kChannelBlock, channels - begin);
    // In double: a convolution's bias sums over every position of every image.
    std::array<double, kChannelBlock> sums{};
    if (write == Write::kAccumulate) std::copy_n(dbias + begin, count, sums.begin());
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* row = dy + i * channels + begin;
      for (std::int64_t c = 0; c < count; ++c) sums[c] += row[c];
    }
    for (std::int64_t c = 0; c < count; ++c) dbias[begin + c] = static_cast<float>(sums[c]);
  }
}

}  // namespace gradflip
