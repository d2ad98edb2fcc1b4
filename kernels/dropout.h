// Dropout (Srivastava et al., JMLR 15, 2014): each value is dropped with some probability, and the
// others grow by as much. Whole channels of a picture at once is Tompson et al., "Efficient Object
// Localization Using Convolutional Networks", CVPR 2015: PyTorch's Dropout2d.
//
//   y = kept ? x / (1 - probability) : 0
// The mask is stored nowhere: it is a function of (seed, stream, step, segment, row, unit), the same
// on every backend and however a batch is cut. The gradient of x is the same function of dy.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/host_device.h"
#include "kernels/philox.h"

namespace gradflip {

struct Dropout {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  // layers draw independently: one stream each
  double probability = 0.5;  // of being dropped, in [0, 1)
  std::int64_t units = 0;    // that are kept or dropped, of each row, > 0
  std::int64_t pixels = 1;  // values of a unit, which lie `units` apart: x is (rows, pixels, units)
};

// Which rows of the batch there are, one run behind the other: [begin, begin + rows) of a segment
// each. Small enough to be a kernel's argument.
inline constexpr int kMaxDropoutRuns = 8;
struct DropoutRows {
  struct Run {
    std::uint32_t segment = 0;
    std::int64_t begin = 0, rows = 0;
  };
  int runs = 0;
  Run run[kMaxDropoutRuns] = {};

  static DropoutRows of(std::uint32_t segment, std::int64_t begin, std::int64_t rows) {
    return {.runs = 1, .run = {{segment, begin, rows}}};
  }

  GRADFLIP_HOST_DEVICE std::int64_t rows() const {
    std::int64_t all = 0;
    for (int i = 0; i < runs; ++i) all += run[i].rows;
    return all;
  }
  // What the row at `row` in [0, rows()) is: a run of its own.
  GRADFLIP_HOST_DEVICE Run at(std::int64_t row) const {
    int i = 0;
    while (row >= run[i].rows) row -= run[i++].rows;
    return {run[i].segment, run[i].begin + row, 1};
  }
};

// step: in the context's memory, >= 0. Overwrites y, which may be x; rows may be 0. Throws
// std::invalid_argument for a probability outside [0, 1).
void dropout(Cpu ctx, const Dropout& dropout, const DropoutRows& rows, const std::int64_t* step,
             const float* x, float* y);
void dropout(Cuda ctx, const Dropout& dropout, const DropoutRows& rows, const std::int64_t* step,
             const float* x, float* y);

void require_valid(const Dropout& dropout, const DropoutRows& rows);

// The words of a row come in blocks of four, and unit u takes word u / blocks of block u % blocks:
// neighbours are in neighbouring blocks, so that vectors of them are made at once.
constexpr std::int64_t dropout_blocks(std::int64_t units) { return (units + 3) / 4; }

// A value is kept if its word is at least this: probability * 2^32, rounded.
constexpr std::uint32_t dropout_threshold(double probability) {
  const double words = probability * 4294967296.0 + 0.5;
  return words >= 4294967295.0 ? 0xFFFFFFFFU : static_cast<std::uint32_t>(words);
}

GRADFLIP_HOST_DEVICE constexpr float dropout_scale(double probability) {
  return static_cast<float>(1.0 / (1.0 - probability));
}

// Block b of a row's words is philox4x32(dropout_counter(b, ...), dropout_key(...)). The stream and
// the purpose make a key of their own, which keeps masks apart from other uses of the seed.
constexpr PhiloxKey dropout_key(std::uint64_t seed, std::uint32_t stream) {
  constexpr std::uint32_t kPurpose = 0x64726F70U;
  const PhiloxCounter mixed =
      philox4x32({stream, 0, 0, kPurpose},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  return {mixed[0], mixed[1]};
}

constexpr PhiloxCounter dropout_counter(std::uint32_t block, std::uint32_t segment,
                                        std::int64_t row, std::int64_t step) {
  const auto at = static_cast<std::uint64_t>(step);
  return {block, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(at),
          static_cast<std::uint32_t>(at >> 32U) << 8U | segment};
}

}  // namespace gradflip
