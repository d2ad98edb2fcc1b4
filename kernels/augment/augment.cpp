// Augmentation on the CPU, picture by picture.
//
// Decomposition  a picture passes between two buffers that stay in the first-level cache. Photometric
//                operations are composed to a table per channel and applied when an operation that
//                mixes pixels comes, or at the end. Interpolation takes the channels of a pixel as
//                one vector; taps and noise run over rows of bytes.
// Numerics       integers: the bits of every backend.
// Speed          128 pictures of 28x28x3, one core of an AMD EPYC (Zen 4), 2026-11-28: a shift, two of
//                twelve and a cutout 0.63 ms, 4.9 us a picture. Each alone, in us a picture: shift
//                0.4, flip 0.7, tables 1.0 to 1.8, blur 3.6, turns and the like 3.9 to 4.1, noise 7.5
//                (kernel_bench --batches 128 --benchmark_filter=augment).

#include "kernels/augment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/augment/arithmetic.h"
#include "kernels/augment/draws.h"
#include "kernels/cpu/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/augment/augment.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kPixel = 4;  // bytes that are moved for a pixel of any channels

// One picture on its way through a program.
template <int kChannels>
class Canvas {
 public:
  Canvas(const AugmentShape& shape, void* workspace)
      : H_(static_cast<std::int32_t>(shape.H)),
        W_(static_cast<std::int32_t>(shape.W)),
        row_bytes_(W_ * kChannels),
        bytes_(shape.bytes()) {
    Scratch scratch(workspace);
    picture_ = scratch.take<std::uint8_t>(bytes_ + kPixel);
    other_ = scratch.take<std::uint8_t>(bytes_ + kPixel);
  }

  void load(const std::uint8_t* picture, std::int64_t stored_channels) {
    if (stored_channels == kChannels) {
      std::memcpy(picture_, picture, static_cast<std::size_t>(bytes_));
      return;
    }
    for (std::int64_t pixel = 0; pixel < H_ * std::int64_t{W_}; ++pixel) {
      const std::uint32_t word = picture[pixel] * 0x01010101U;
      std::memcpy(picture_ + pixel * kChannels, &word, kPixel);
    }
  }

  void store(std::uint8_t* y) {
    apply_tables();
    std::memcpy(y, picture_, static_cast<std::size_t>(bytes_));
  }

  void run(const AugmentSequence& sequence, const DrawnAugment& drawn) {
    if (is_photometric(drawn.kind)) return compose(sequence, drawn);
    switch (drawn.kind) {
      case AugmentKind::kShift:
        return shift(drawn.number, drawn.second);
      case AugmentKind::kFlipHorizontal:
        return flip_horizontally();
      case AugmentKind::kFlipVertical:
        return flip_vertically();
      default:
        break;
    }
    apply_tables();
    switch (drawn.kind) {
      case AugmentKind::kBlur:
        return blur(blur_taps(drawn.number));
      case AugmentKind::kCutout:
        return cut_out(drawn);
      case AugmentKind::kNoise:
        return add_noise(sequence, drawn.place, noise_factor(drawn.number));
      default:
        return interpolate(affine_map(drawn, H_, W_));
    }
  }

 private:
  void compose(const AugmentSequence& sequence, const DrawnAugment& drawn) {
    if (!tables_pending_) {
      for (auto& table : tables_) {
        for (int value = 0; value < 256; ++value) table[value] = static_cast<std::uint8_t>(value);
      }
      tables_pending_ = true;
    }
    for (int c = 0; c < kChannels; ++c) {
      std::int32_t number = drawn.number, offset = 0;
      if (drawn.kind == AugmentKind::kChannels) {
        const auto numbers = sequence.of_channel(drawn.place, c);
        number = numbers.gain;
        offset = numbers.offset;
      }
      compose_table(drawn.kind, number, offset, tables_[c]);
    }
  }

  // A loop of its own for each kind, so that the compiler makes vectors of it.
  static void compose_table(AugmentKind kind, std::int32_t number, std::int32_t offset,
                            std::array<std::uint8_t, 256>& table) {
    const auto all = [&](const auto& map) {
      for (std::uint8_t& value : table) value = static_cast<std::uint8_t>(map(value));
    };
    switch (kind) {
      case AugmentKind::kContrast:
        return all([&](int v) { return photometric(AugmentKind::kContrast, number, 0, v); });
      case AugmentKind::kBrightness:
        return all([&](int v) { return photometric(AugmentKind::kBrightness, number, 0, v); });
      case AugmentKind::kChannels:
        return all([&](int v) { return photometric(AugmentKind::kChannels, number, offset, v); });
      default:
        return all([&](int v) { return photometric(kind, number, 0, v); });
    }
  }

  void apply_tables() {
    if (!tables_pending_) return;
    tables_pending_ = false;
    std::uint8_t* pixel = picture_;
    for (const std::uint8_t* end = picture_ + bytes_; pixel < end; pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) pixel[c] = tables_[c][pixel[c]];
    }
  }

  std::uint8_t* row(std::uint8_t* picture, std::int64_t y) const {
    return picture + y * row_bytes_;
  }

  static std::size_t bytes_of(std::int32_t pixels) {
    return static_cast<std::size_t>(pixels) * kChannels;
  }

  void shift(std::int32_t right, std::int32_t down) {
    if (right == 0 && down == 0) return;
    // Columns that the shifted picture covers; the others are reflected.
    const std::int32_t begin = std::clamp(right, 0, W_), end = std::clamp(W_ + right, 0, W_);
    for (std::int32_t y = 0; y < H_; ++y) {
      const std::uint8_t* from = row(picture_, reflected(std::int64_t{y} - down, H_));
      std::uint8_t* to = row(other_, y);
      const auto reflect = [&](std::int32_t x) {
        const std::uint8_t* source = from + reflected(std::int64_t{x} - right, W_) * kChannels;
        for (int c = 0; c < kChannels; ++c) to[x * kChannels + c] = source[c];
      };
      for (std::int32_t x = 0; x < std::min(begin, W_); ++x) reflect(x);
      if (end > begin) {
        std::memcpy(to + begin * kChannels, from + (begin - right) * kChannels,
                    bytes_of(end - begin));
      }
      for (std::int32_t x = std::max(end, begin); x < W_; ++x) reflect(x);
    }
    std::swap(picture_, other_);
  }

  void flip_horizontally() {
    for (std::int32_t y = 0; y < H_; ++y) {
      std::uint8_t* left = row(picture_, y);
      std::uint8_t* right = left + row_bytes_ - kChannels;
      for (; left < right; left += kChannels, right -= kChannels) {
        for (int c = 0; c < kChannels; ++c) std::swap(left[c], right[c]);
      }
    }
  }

  void flip_vertically() {
    for (std::int32_t y = 0; y < H_ / 2; ++y) {
      std::swap_ranges(row(picture_, y), row(picture_, y) + row_bytes_, row(picture_, H_ - 1 - y));
    }
  }

  // Four bytes of a pixel of fewer channels reach into the next: what is written there is written
  // over, or stands behind the last. The compiler makes a vector of them.
  void interpolate(const AffineMap& map) {
    for (std::int32_t y = 0; y < H_; ++y) {
      std::uint8_t* to = row(other_, y);
      // Positions along the row, before they are rounded, grow by a constant.
      std::int64_t at_x = map.xx * (1 - W_) + map.xy * (2 * y - (H_ - 1)) + map.x0 + 256;
      std::int64_t at_y = map.yx * (1 - W_) + map.yy * (2 * y - (H_ - 1)) + map.y0 + 256;
      for (std::int32_t x = 0; x < W_; ++x, at_x += 2 * map.xx, at_y += 2 * map.yx) {
        const std::int64_t left = at_x >> 17, top = at_y >> 17;
        const auto fx = static_cast<std::uint32_t>(at_x >> 9) & 255U;
        const auto fy = static_cast<std::uint32_t>(at_y >> 9) & 255U;
        const std::uint8_t* const upper = row(picture_, nearest(top, H_));
        const std::uint8_t* const lower = row(picture_, nearest(top + 1, H_));
        const std::int64_t x0 = std::int64_t{nearest(left, W_)} * kChannels;
        const std::int64_t x1 = std::int64_t{nearest(left + 1, W_)} * kChannels;
        blend({upper + x0, upper + x1, lower + x0, lower + x1}, fx, fy, to + x * kChannels);
      }
    }
    std::swap(picture_, other_);
  }

  static void blend(const std::array<const std::uint8_t*, 4>& corners, std::uint32_t fx,
                    std::uint32_t fy, std::uint8_t* to) {
    const std::uint32_t both = fx * fy;
    const std::uint32_t weights[4] = {65'536U - 256U * (fx + fy) + both, 256U * fx - both,
                                      256U * fy - both, both};
    std::array<std::uint32_t, kPixel> sums;
    sums.fill(1U << 15U);
    for (int corner = 0; corner < 4; ++corner) {
      std::array<std::uint8_t, kPixel> bytes;
      std::memcpy(bytes.data(), corners[static_cast<std::size_t>(corner)], kPixel);
      for (std::size_t c = 0; c < kPixel; ++c) sums[c] += bytes[c] * weights[corner];
    }
    std::array<std::uint8_t, kPixel> blended;
    for (std::size_t c = 0; c < kPixel; ++c) blended[c] = static_cast<std::uint8_t>(sums[c] >> 16U);
    std::memcpy(to, blended.data(), kPixel);
  }

  // y[i] = the taps over five rows of bytes, for which five pixels beside each other count, too.
  static void tap(std::int32_t size, BlurTaps taps, const std::uint8_t* const (&rows)[5],
                  std::uint8_t* HWY_RESTRICT y) {
    const std::uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4];
    for (std::int32_t i = 0; i < size; ++i) {
      y[i] = static_cast<std::uint8_t>(
          (taps.far * (a[i] + e[i]) + taps.near * (b[i] + d[i]) + taps.centre * c[i] + (1 << 15)) >>
          16);
    }
  }

  // A row with two reflected pixels on either side, in its own place of the other buffer's row.
  void blur(BlurTaps taps) {
    for (std::int32_t y = 0; y < H_; ++y) blur_across(taps, row(picture_, y), row(other_, y));
    for (std::int32_t y = 0; y < H_; ++y) {
      const std::uint8_t* const rows[5] = {
          row(other_, reflected(y - 2, H_)), row(other_, reflected(y - 1, H_)), row(other_, y),
          row(other_, reflected(y + 1, H_)), row(other_, reflected(y + 2, H_))};
      tap(row_bytes_, taps, rows, row(picture_, y));
    }
  }

  void blur_across(BlurTaps taps, const std::uint8_t* from, std::uint8_t* to) const {
    const std::int32_t border = std::min(2, W_);
    const auto at_border = [&](std::int32_t x) {
      for (int c = 0; c < kChannels; ++c) {
        const auto value = [&](std::int32_t offset) {
          return std::int32_t{from[reflected(x + offset, W_) * kChannels + c]};
        };
        to[x * kChannels + c] = static_cast<std::uint8_t>((taps.far * (value(-2) + value(2)) +
                                                           taps.near * (value(-1) + value(1)) +
                                                           taps.centre * value(0) + (1 << 15)) >>
                                                          16);
      }
    };
    for (std::int32_t x = 0; x < border; ++x) at_border(x);
    if (W_ > 4) {
      const std::uint8_t* const rows[5] = {from, from + kChannels, from + 2 * kChannels,
                                           from + 3 * kChannels, from + 4 * kChannels};
      tap((W_ - 4) * kChannels, taps, rows, to + 2 * kChannels);
    }
    for (std::int32_t x = std::max(border, W_ - 2); x < W_; ++x) at_border(x);
  }

  void cut_out(const DrawnAugment& drawn) {
    const CutoutRange across = cutout_range(drawn.across, drawn.number, W_);
    const CutoutRange down = cutout_range(drawn.downwards, drawn.number, H_);
    if (across.end <= across.begin) return;
    for (std::int32_t y = down.begin; y < down.end; ++y) {
      std::memset(row(picture_, y) + across.begin * kChannels, kCutoutValue,
                  bytes_of(across.end - across.begin));
    }
  }

  // Blocks side by side, so that the compiler makes vectors of Philox' rounds.
  void add_noise(const AugmentSequence& sequence, std::int32_t place, std::int32_t factor) {
    if (factor == 0) return;
    constexpr std::int64_t kBlocks = 16;
    for (std::int64_t first = 0; first < bytes_; first += 4 * kBlocks) {
      std::uint32_t words[4][kBlocks];
      noise_words(sequence.key(), static_cast<std::uint32_t>(first / 4), place, words);
      std::uint8_t* const at = picture_ + first;
      const std::int64_t size = std::min(4 * kBlocks, bytes_ - first);
      for (std::int64_t i = 0; i < size; ++i) {
        at[i] = static_cast<std::uint8_t>(noisy(at[i], words[i % 4][i / 4], factor));
      }
    }
  }

  template <std::int64_t kBlocks>
  static void noise_words(PhiloxKey key, std::uint32_t first, std::int32_t place,
                          std::uint32_t (&words)[4][kBlocks]) {
    for (std::int64_t b = 0; b < kBlocks; ++b) {
      const PhiloxCounter block = philox4x32({first + static_cast<std::uint32_t>(b),
                                              static_cast<std::uint32_t>(place), 1, kAugmentDraw},
                                             key);
      for (int w = 0; w < 4; ++w) words[w][b] = block[static_cast<std::size_t>(w)];
    }
  }

  std::int32_t H_, W_, row_bytes_;
  std::int64_t bytes_;
  std::uint8_t *picture_, *other_;
  bool tables_pending_ = false;
  std::array<std::array<std::uint8_t, 256>, kChannels> tables_;
};

template <int kChannels>
void augment_rows(const AugmentRows& rows, const AugmentProgram& program, void* workspace) {
  const AugmentShape& shape = rows.shape;
  Canvas<kChannels> canvas(shape, workspace);
  for (std::int64_t i = 0; i < shape.count; ++i) {
    canvas.load(rows.images + rows.indices[i] * shape.H * shape.W * shape.stored_channels,
                shape.stored_channels);
    AugmentSequence sequence(program, augment_key(rows.draws, *rows.step, rows.row_begin + i));
    for (DrawnAugment drawn; sequence.next(drawn);) canvas.run(sequence, drawn);
    canvas.store(rows.y + i * shape.bytes());
  }
}

void augment_simd(const AugmentRows& rows, const AugmentProgram& program, void* workspace) {
  switch (rows.shape.channels) {
    case 1:
      return augment_rows<1>(rows, program, workspace);
    case 2:
      return augment_rows<2>(rows, program, workspace);
    case 3:
      return augment_rows<3>(rows, program, workspace);
    default:
      return augment_rows<4>(rows, program, workspace);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(augment_simd);

std::int64_t augment_workspace_bytes(Cpu /*ctx*/, const AugmentShape& shape) {
  Scratch scratch(nullptr);
  for (int picture = 0; picture < 2; ++picture) {
    scratch.take<std::uint8_t>(shape.bytes() + kMaxAugmentedChannels);
  }
  return scratch.bytes();
}

void augment(Cpu /*ctx*/, const AugmentRows& rows, const AugmentProgram& program, void* workspace) {
  require_valid(rows.shape);
  require_valid(rows.draws);
  require_valid(program);
  HWY_DYNAMIC_DISPATCH(augment_simd)(rows, program, workspace);
}

}  // namespace gradflip
#endif  // HWY_ONCE
