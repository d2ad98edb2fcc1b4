#include "tests/support/reference/conv_block.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/reference/conv2d.h"

namespace gradflip::reference {
namespace {

struct Window {
  double largest = 0.0;  // after ReLU
  double scale = 0.0;
  std::uint8_t winner = kDeadWinner;
  double margin = 0.0;
};

Window reduce_window(const std::vector<double>& values, const std::vector<double>& scales) {
  Window window;
  window.scale = *std::max_element(scales.begin(), scales.end());
  const auto is_nan = [](double value) { return std::isnan(value); };
  const auto nan = std::find_if(values.begin(), values.end(), is_nan);
  const auto best = nan != values.end() ? nan : std::max_element(values.begin(), values.end());
  if (nan != values.end()) {
    window.margin = std::numeric_limits<double>::infinity();
  } else {
    double runner_up = 0.0;  // ReLU's zero competes too: below it the window is dead
    for (auto value = values.begin(); value != values.end(); ++value) {
      if (value != best) runner_up = std::max(runner_up, *value);
    }
    window.margin = std::abs(*best - runner_up);
  }
  if (nan == values.end() && *best <= 0.0) return window;
  window.largest = *best;
  window.winner = static_cast<std::uint8_t>(best - values.begin());
  return window;
}

// Calls visit(offset of a pooled element, offsets of its window in the dense output).
template <typename Visit>
void for_each_window(const ConvBlockShape& shape, const Visit& visit) {
  const std::int64_t P = conv2d_output_height(shape.conv);
  const std::int64_t Q = conv2d_output_width(shape.conv);
  const std::int64_t K = shape.conv.K;
  std::int64_t pooled = 0;
  std::vector<std::int64_t> dense(static_cast<std::size_t>(shape.pool_h * shape.pool_w));
  for (std::int64_t n = 0; n < shape.conv.N; ++n) {
    for (std::int64_t top = 0; top + shape.pool_h <= P; top += shape.pool_h) {
      for (std::int64_t left = 0; left + shape.pool_w <= Q; left += shape.pool_w) {
        for (std::int64_t k = 0; k < K; ++k) {
          for (std::int64_t r = 0; r < shape.pool_h; ++r) {
            for (std::int64_t s = 0; s < shape.pool_w; ++s) {
              dense[r * shape.pool_w + s] = ((n * P + top + r) * Q + left + s) * K + k;
            }
          }
          visit(pooled++, dense);
        }
      }
    }
  }
}

// The gradient of the convolution's output: dpooled at each winner, zero elsewhere.
std::vector<double> dense_gradient(const ConvBlockShape& shape, const std::vector<double>& dpooled,
                                   const std::vector<std::uint8_t>& winner) {
  std::vector<double> dense(
      static_cast<std::size_t>(shape.conv.N * conv2d_output_height(shape.conv) *
                               conv2d_output_width(shape.conv) * shape.conv.K));
  for_each_window(shape, [&](std::int64_t pooled, const std::vector<std::int64_t>& window) {
    if (winner.at(pooled) == kDeadWinner) return;
    dense.at(window.at(winner.at(pooled))) = dpooled.at(pooled);
  });
  return dense;
}

}  // namespace

ConvBlockOutput conv_block_forward(const ConvBlockShape& shape, const std::vector<double>& x,
                                   const std::vector<double>& filter,
                                   const std::vector<double>& bias) {
  Sums y = conv2d_forward(shape.conv, x, filter);
  for (std::size_t i = 0; i < y.value.size(); ++i) {
    y.add(static_cast<std::int64_t>(i), bias.at(i % bias.size()));
  }
  ConvBlockOutput output;
  for_each_window(shape, [&](std::int64_t /*pooled*/, const std::vector<std::int64_t>& dense) {
    std::vector<double> values;
    std::vector<double> scales;
    for (const std::int64_t offset : dense) {
      values.push_back(y.value.at(offset));
      scales.push_back(y.scale.at(offset));
    }
    const Window window = reduce_window(values, scales);
    output.pooled.value.push_back(window.largest);
    output.pooled.scale.push_back(window.scale);
    output.winner.push_back(window.winner);
    output.margin.push_back(window.margin);
  });
  return output;
}

testing::AssertionResult winners_match(std::span<const std::uint8_t> got,
                                       const ConvBlockOutput& want, const ConvBlockShape& shape,
                                       double tolerance) {
  if (got.size() != want.winner.size()) {
    return testing::AssertionFailure()
           << "sizes differ: got " << got.size() << ", want " << want.winner.size();
  }
  std::size_t clear = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool possible = got[i] == kDeadWinner || got[i] < shape.pool_h * shape.pool_w;
    const bool is_clear = want.margin[i] > tolerance * want.pooled.scale[i];
    if (is_clear) ++clear;
    if (possible && (got[i] == want.winner[i] || !is_clear)) continue;
    return testing::AssertionFailure() << "winner [" << i << "]: got " << int{got[i]} << ", want "
                                       << int{want.winner[i]} << ", margin " << want.margin[i];
  }
  if (clear * 10 < got.size() * 9) {
    return testing::AssertionFailure()
           << "only " << clear << " of " << got.size() << " winners are clear";
  }
  return testing::AssertionSuccess();
}

Sums conv_block_backward_data(const ConvBlockShape& shape, const std::vector<double>& dpooled,
                              const std::vector<std::uint8_t>& winner,
                              const std::vector<double>& filter) {
  return conv2d_backward_data(shape.conv, dense_gradient(shape, dpooled, winner), filter);
}

ConvBlockFilterGradient conv_block_backward_filter(const ConvBlockShape& shape,
                                                   const std::vector<double>& x,
                                                   const std::vector<double>& dpooled,
                                                   const std::vector<std::uint8_t>& winner) {
  const std::vector<double> dy = dense_gradient(shape, dpooled, winner);
  ConvBlockFilterGradient gradient{conv2d_backward_filter(shape.conv, x, dy), Sums(shape.conv.K)};
  for (std::size_t i = 0; i < dy.size(); ++i) {
    gradient.dbias.add(static_cast<std::int64_t>(i) % shape.conv.K, dy[i]);
  }
  return gradient;
}

}  // namespace gradflip::reference
