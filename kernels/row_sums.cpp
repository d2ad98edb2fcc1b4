// Numerics  sums in double: a convolution's bias sums over every position of every image.
#include "kernels/row_sums.h"

#include <algorithm>
#include <array>

#include "kernels/require.h"

namespace gradflip {
namespace {

// Features summed together: their sums in double stay in the first-level cache, and a narrower
// matrix is read once, in order.
constexpr std::int64_t kFeatureBlock = 64;

// Sums of a row that are under way at once, so that an addition need not wait for the one before.
constexpr std::int64_t kPartialSums = 8;

void require_matrix(std::int64_t rows, std::int64_t features) {
  GRADFLIP_REQUIRE(rows >= 0 && features >= 0, message("row_sums: ", rows, " rows of ", features,
                                                       " features; both must be >= 0"));
}

double sum_of_row(std::int64_t features, const float* row) {
  std::array<double, kPartialSums> sums{};
  std::int64_t c = 0;
  for (; c + kPartialSums <= features; c += kPartialSums) {
    for (std::int64_t j = 0; j < kPartialSums; ++j) sums[j] += row[c + j];
  }
  for (std::int64_t j = 0; c + j < features; ++j) sums[j] += row[c + j];
  double sum = 0.0;
  for (const double partial : sums) sum += partial;
  return sum;
}

}  // namespace

void sum_rows(Cpu /*ctx*/, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
              Write write, float* y) {
  require_matrix(rows, features);
  const double factor = value_of(scale);
  for (std::int64_t begin = 0; begin < features; begin += kFeatureBlock) {
    const std::int64_t count = std::min(kFeatureBlock, features - begin);
    std::array<double, kFeatureBlock> sums{};
    if (write == Write::kAccumulate) std::copy_n(y + begin, count, sums.begin());
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* row = x + i * features + begin;
      // The product of two floats is exact in double.
      for (std::int64_t c = 0; c < count; ++c) sums[c] += factor * row[c];
    }
    for (std::int64_t c = 0; c < count; ++c) y[begin + c] = static_cast<float>(sums[c]);
  }
}

void spread_rows(Cpu /*ctx*/, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
                 float* y) {
  require_matrix(rows, features);
  const float factor = value_of(scale);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < features; ++c) y[i * features + c] = factor * x[c];
  }
}

void sum_features(Cpu /*ctx*/, std::int64_t rows, std::int64_t features, const float* x, float* y) {
  require_matrix(rows, features);
  for (std::int64_t i = 0; i < rows; ++i) {
    y[i] = static_cast<float>(sum_of_row(features, x + i * features));
  }
}

void spread_features(Cpu /*ctx*/, std::int64_t rows, std::int64_t features, const float* x,
                     float* y) {
  require_matrix(rows, features);
  for (std::int64_t i = 0; i < rows; ++i) std::fill_n(y + i * features, features, x[i]);
}

}  // namespace gradflip
