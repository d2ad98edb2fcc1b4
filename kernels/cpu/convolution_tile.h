// Register tiles of a convolution: some pixels x some vectors of channels. Text for whoever has an
// instruction set's vectors: included inside its namespace, where kernels/cpu/convolution_f32.h and
// the bf16 kernels have said what these are (so there is no include guard):
//
//   Element         what a pixel and the filter are made of: a float, or a pair of bf16 numbers
//   Floats          kLanes sums in f32; Elements: kLanes Elements
//   kAccumulators   registers for sums
//   load(p), store(v, p), zeros()      of Floats
//   load_elements(p), broadcast_element(p), multiply_add(a, b, sum)
//
// For each tap and input channel a tile loads the filter's vectors once and broadcasts one input
// per pixel. Every output is one chain of multiply-adds from its bias over (r, run, j), whatever
// its tile: it depends neither on its neighbours nor on alignment.

// Channel vectors in a block: loads per multiply-add fall with it, and 3 is what leaves room for
// enough pixels (K = 48 with AVX-512, K = 24 with AVX2 in one block).
constexpr std::int64_t kMaxBlockVectors = 3;

// Pixels in each of a tile's two groups. 6 keeps 12 accumulators busy even with one vector of
// channels: two units with a latency of four need 8.
template <int kVectors>
constexpr int kGroupPixels = std::min(6, kAccumulators / (2 * kVectors));

// Blocks of channels of nearly equal size: 4 vectors are 2 + 2, not 3 + 1.
struct ChannelBlocks {
  explicit ChannelBlocks(std::int64_t channels)
      : vectors((channels + kLanes - 1) / kLanes),
        count((vectors + kMaxBlockVectors - 1) / kMaxBlockVectors) {}
  std::int64_t begin(std::int64_t block) const { return vectors * block / count; }
  std::int64_t vectors, count;
};

// The input under a tile, apart from its position, and the block's filter and bias.
struct TileOperands {
  std::int64_t R, runs, run_length;
  std::int64_t tap_row_stride, run_stride;
  std::int64_t pixel_stride, pixel_row_stride;  // of the input
  const Element* filter;  // (R, runs, run_length, kVectors * kLanes), 64-byte aligned
  const float* bias;      // (kVectors * kLanes)
  std::int64_t out_stride, out_row_stride;
};

struct PixelGroup {
  const Element* x;
  float* out;
};

// A tile of kGroups groups of neighbouring pixels. write(sums of one pixel, out of that pixel).
template <int kVectors, int kPixels, int kGroups, typename Write>
void convolve_tile(const TileOperands& operands, PixelGroup group0, PixelGroup group1,
                   const Write& write) {
  Floats sum0[kPixels][kVectors];
  Floats sum1[kPixels][kVectors];
  GRADFLIP_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const Floats bias = load(operands.bias + v * kLanes);
    GRADFLIP_UNROLL
    for (int pixel = 0; pixel < kPixels; ++pixel) sum0[pixel][v] = sum1[pixel][v] = bias;
  }
  const std::int64_t stride = operands.pixel_stride;
  const Element* filter = operands.filter;
  for (std::int64_t r = 0; r < operands.R; ++r) {
    for (std::int64_t run = 0; run < operands.runs; ++run) {
      const std::int64_t offset = r * operands.tap_row_stride + run * operands.run_stride;
      const Element* x0 = group0.x + offset;
      const Element* x1 = group1.x + offset;
      for (std::int64_t j = 0; j < operands.run_length; ++j, ++x0, ++x1) {
        Elements weight[kVectors];
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) weight[v] = load_elements(filter + v * kLanes);
        filter += kVectors * kLanes;
        GRADFLIP_UNROLL
        for (int pixel = 0; pixel < kPixels; ++pixel) {
          const Elements value = broadcast_element(x0 + pixel * stride);
          GRADFLIP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            sum0[pixel][v] = multiply_add(value, weight[v], sum0[pixel][v]);
          }
        }
        if constexpr (kGroups == 2) {
          GRADFLIP_UNROLL
          for (int pixel = 0; pixel < kPixels; ++pixel) {
            const Elements value = broadcast_element(x1 + pixel * stride);
            GRADFLIP_UNROLL
            for (int v = 0; v < kVectors; ++v) {
              sum1[pixel][v] = multiply_add(value, weight[v], sum1[pixel][v]);
            }
          }
        }
      }
    }
  }
  GRADFLIP_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    write(sum0[pixel], group0.out + pixel * operands.out_stride);
    if constexpr (kGroups == 2) write(sum1[pixel], group1.out + pixel * operands.out_stride);
  }
}

template <int kVectors, int kGroups, typename Write, int kPixels = kGroupPixels<kVectors>>
void convolve_groups(std::int64_t pixels, const TileOperands& operands, PixelGroup group0,
                     PixelGroup group1, const Write& write) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) {
      return convolve_groups<kVectors, kGroups, Write, kPixels - 1>(pixels, operands, group0,
                                                                    group1, write);
    }
  }
  convolve_tile<kVectors, kPixels, kGroups>(operands, group0, group1, write);
}

// `rows` x `width` pixels, one block of channels: all groups of one width, row after row, two at a
// time.
template <int kVectors, typename Write>
void convolve_rows(std::int64_t rows, std::int64_t width, const TileOperands& operands,
                   const Element* x, float* out, const Write& write) {
  constexpr int kPixels = kGroupPixels<kVectors>;
  const auto convolve_columns = [&](std::int64_t begin, std::int64_t groups, std::int64_t pixels) {
    std::int64_t row = 0, group = 0;  // counted: a division takes as long as 20 multiply-adds
    const auto next_group = [&] {
      const std::int64_t pixel = begin + group * pixels;
      const PixelGroup at{x + row * operands.pixel_row_stride + pixel * operands.pixel_stride,
                          out + row * operands.out_row_stride + pixel * operands.out_stride};
      if (++group == groups) group = 0, ++row;
      return at;
    };
    std::int64_t left = rows * groups;
    for (; left > 1; left -= 2) {
      const PixelGroup group0 = next_group();
      convolve_groups<kVectors, 2>(pixels, operands, group0, next_group(), write);
    }
    if (left > 0) {
      const PixelGroup last = next_group();
      convolve_groups<kVectors, 1>(pixels, operands, last, last, write);
    }
  };
  const std::int64_t full = width / kPixels;
  convolve_columns(0, full, kPixels);
  const std::int64_t rest = width - full * kPixels;
  if (rest > 0) convolve_columns(full * kPixels, 1, rest);
}

// The same for a block of `vectors` vectors, 1 to kMaxBlockVectors.
template <typename Write>
void convolve_rows(std::int64_t vectors, std::int64_t rows, std::int64_t width,
                   const TileOperands& operands, const Element* x, float* out, const Write& write) {
  switch (vectors) {
    case 1:
      return convolve_rows<1>(rows, width, operands, x, out, write);
    case 2:
      return convolve_rows<2>(rows, width, operands, x, out, write);
    default:
      return convolve_rows<3>(rows, width, operands, x, out, write);
  }
}
