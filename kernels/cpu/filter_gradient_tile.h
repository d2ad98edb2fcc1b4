// Register tiles of a filter's gradient: some neighbouring taps x some vectors of channels, summed
// over a panel of pixels. Text, included behind convolution_tile.h, of whose names it makes use.

// Taps of a tile: as many as leave room for the vectors.
template <int kVectors>
constexpr int kTileTaps = std::min(12, kAccumulators / kVectors);

// Images, rows and columns of a panel, and how far apart they lie in x and in dy.
struct GradientPanel {
  std::int64_t images, rows, columns;
  std::int64_t x_image, x_row, x_column;
  std::int64_t dy_image, dy_row, dy_column;
};

// sum[tap][v] += over the panel: x[tap] * dy[v], a chain over the pixels in order.
template <int kVectors, int kTaps>
void accumulate_taps(const GradientPanel& panel, const Element* x, const Element* dy, float* sum,
                     std::int64_t sum_stride) {
  Floats total[kTaps][kVectors];
  GRADFLIP_UNROLL
  for (int tap = 0; tap < kTaps; ++tap) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) total[tap][v] = load(sum + tap * sum_stride + v * kLanes);
  }
  for (std::int64_t image = 0; image < panel.images; ++image) {
    for (std::int64_t row = 0; row < panel.rows; ++row) {
      const Element* pixel = x + image * panel.x_image + row * panel.x_row;
      const Element* dy_pixel = dy + image * panel.dy_image + row * panel.dy_row;
      for (std::int64_t column = 0; column < panel.columns; ++column) {
        Elements gradient[kVectors];
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) gradient[v] = load_elements(dy_pixel + v * kLanes);
        GRADFLIP_UNROLL
        for (int tap = 0; tap < kTaps; ++tap) {
          const Elements value = broadcast_element(pixel + tap);
          GRADFLIP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            total[tap][v] = multiply_add(value, gradient[v], total[tap][v]);
          }
        }
        pixel += panel.x_column;
        dy_pixel += panel.dy_column;
      }
    }
  }
  GRADFLIP_UNROLL
  for (int tap = 0; tap < kTaps; ++tap) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) store(total[tap][v], sum + tap * sum_stride + v * kLanes);
  }
}

using AccumulateTaps = decltype(&accumulate_taps<1, 1>);

template <int kVectors, int kTaps = kTileTaps<kVectors>>
AccumulateTaps choose_accumulate_taps(std::int64_t taps) {
  if constexpr (kTaps > 1) {
    if (taps < kTaps) return choose_accumulate_taps<kVectors, kTaps - 1>(taps);
  }
  return accumulate_taps<kVectors, kTaps>;
}

// A run of neighbouring taps, in tiles of nearly equal size, for one block of channels.
template <int kVectors>
void accumulate_run(std::int64_t length, const GradientPanel& panel, const Element* x,
                    const Element* dy, float* sum, std::int64_t sum_stride) {
  constexpr std::int64_t kMost = kTileTaps<kVectors>;
  const std::int64_t tiles = (length + kMost - 1) / kMost;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t begin = length * tile / tiles;
    choose_accumulate_taps<kVectors>(length * (tile + 1) / tiles - begin)(
        panel, x + begin, dy, sum + begin * sum_stride, sum_stride);
  }
}

void accumulate_run(std::int64_t vectors, std::int64_t length, const GradientPanel& panel,
                    const Element* x, const Element* dy, float* sum, std::int64_t sum_stride) {
  switch (vectors) {
    case 1:
      return accumulate_run<1>(length, panel, x, dy, sum, sum_stride);
    case 2:
      return accumulate_run<2>(length, panel, x, dy, sum, sum_stride);
    default:
      return accumulate_run<3>(length, panel, x, dy, sum, sum_stride);
  }
}
