#include "kernels/bias.h"

#include "kernels/require.h"
#include "kernels/row_sums.h"

namespace gradflip {
namespace {

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

void bias_backward(Cpu ctx, std::int64_t rows, std::int64_t channels, const float* dy, Write write,
                   float* dbias) {
  require_valid(rows, channels);
  sum_rows(ctx, rows, channels, Scale{}, dy, write, dbias);
}

}  // namespace gradflip
