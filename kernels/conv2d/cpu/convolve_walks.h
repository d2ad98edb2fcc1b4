// The walks of a ConvolutionPlan by the tiles of kernels/cpu/convolution_tile.h. Text, included
// behind it, and like it in the namespace of whoever has said what an Element is.

// Bias is in the sums already. ReLU by itself takes two instructions where any rectifier takes five:
// 28x28x3 -> 3x3x32 then takes 14 us per image instead of 14.7 on Zen 4.
struct WriteOutputs {
  WriteOutputs(const Rectifier& with, std::int64_t channels_of_last)
      : rectifier(with),
        rectifies(!is_identity(with)),
        is_relu(with.slope == 0.0F && with.cap == std::numeric_limits<float>::infinity()),
        last(channels_of_last) {}

  template <int kVectors>
  HWY_INLINE void operator()(const Floats (&sum)[kVectors], float* out) const {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Floats value = sum[v];
      if (is_relu) {
        value = relu_floats(value);
      } else if (rectifies) {
        value = rectified_floats(rectifier, value);
      }
      if (v + 1 < kVectors || last == kLanes) {
        store(value, out + v * kLanes);
      } else {
        store_first(last, value, out + v * kLanes);
      }
    }
  }

  Rectifier rectifier;
  bool rectifies, is_relu;
  std::int64_t last;  // channels of a block's last vector
};

// The bias of whole vectors of channels, zeros where there is none.
void set_bias(std::int64_t channels, const float* bias, float* to) {
  std::fill_n(to, ChannelBlocks(channels).vectors * kLanes, 0.0F);
  if (bias != nullptr) std::copy_n(bias, channels, to);
}

// Calls pack(r*S + s, first channel, lanes, place) for each tap of each walk of each block, where a
// tap takes (elements_in, lanes).
template <typename Pack>
void for_each_tap(const ConvolutionPlan& plan, std::int64_t elements_in, Element* packed,
                  const Pack& pack) {
  const ChannelBlocks blocks(plan.channels_out);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t first = blocks.begin(block) * kLanes;
    const std::int64_t lanes = blocks.begin(block + 1) * kLanes - first;
    Element* to = packed + plan.taps * elements_in * first;
    for_each_walk(plan, [&](const AxisWalk& h, const AxisWalk& w, std::int64_t /*taps*/) {
      for (std::int64_t i = 0; i < h.taps; ++i) {
        const std::int64_t r = h.first_tap + i * h.tap_step;
        for (std::int64_t j = 0; j < w.taps; ++j, to += elements_in * lanes) {
          pack(r * plan.S + w.first_tap + j * w.tap_step, first, lanes, to);
        }
      }
    });
  }
}

// What a block of channels is convolved with. The filter is packed for all blocks.
struct WalkOperands {
  const Element* filter;
  const float* bias;
  Rectifier rectifier;
};

// One block of channels of a band of the image: outputs [begin, begin + band_rows) of each walk.
// Rows that meet the same taps go together; taps in the zeros above and below are left out.
void convolve_block(const ConvolutionPlan& plan, const ChannelBlocks& blocks, std::int64_t block,
                    const Band<Element>& band, const WalkOperands& with, float* out) {
  const std::int64_t first = blocks.begin(block) * kLanes;
  const std::int64_t vectors = blocks.begin(block + 1) - blocks.begin(block);
  const std::int64_t channels = std::min(plan.channels_out - first, vectors * kLanes);
  const WriteOutputs write(with.rectifier, channels - (vectors - 1) * kLanes);
  const Element* block_filter = with.filter + plan.taps * band.channels * first;
  const std::int64_t out_row = plan.out_width * plan.channels_out;
  for_each_walk(plan, [&](const AxisWalk& h, const AxisWalk& w, std::int64_t taps) {
    TileOperands operands{.R = 0,
                          .runs = w.dilation == 1 ? 1 : w.taps,
                          .run_length = (w.dilation == 1 ? w.taps : 1) * band.channels,
                          .tap_row_stride = h.dilation * band.row_stride,
                          .run_stride = w.dilation * band.channels,
                          .pixel_stride = w.step * band.channels,
                          .pixel_row_stride = h.step * band.row_stride,
                          .filter = nullptr,
                          .bias = with.bias + first,
                          .out_stride = w.out_step * plan.channels_out,
                          .out_row_stride = h.out_step * out_row};
    const Element* walk_filter = block_filter + taps * band.channels * vectors * kLanes;
    const Element* x = band.elements + h.first * band.row_stride + w.first * band.channels;
    float* to = out + h.out_first * out_row + w.out_first * plan.channels_out + first;
    const std::int64_t end = std::min(band.begin + plan.band_rows, h.count);
    for (std::int64_t row = band.begin, next = row; row < end; row = next) {
      const TapRange range = plan.h.taps_in_image(h, row);
      do {
        ++next;
      } while (next < end && plan.h.taps_in_image(h, next) == range);
      operands.R = range.end - range.begin;
      operands.filter = walk_filter + range.begin * w.taps * band.channels * vectors * kLanes;
      convolve_rows(vectors, next - row, w.count, operands,
                    x + (row - band.begin) * operands.pixel_row_stride +
                        range.begin * operands.tap_row_stride,
                    to + row * operands.out_row_stride, write);
    }
  });
}

// All images, by band_at(n, first output): Band<Element>.
template <typename BandOf>
void convolve_images(const ConvolutionPlan& plan, const WalkOperands& with, float* out,
                     const BandOf& band_at) {
  const ChannelBlocks blocks(plan.channels_out);
  const std::int64_t at_once = plan.filter_first ? 1 : blocks.count;
  for (std::int64_t first = 0; first < blocks.count; first += at_once) {
    for (std::int64_t n = 0; n < plan.N; ++n) {
      for (std::int64_t begin = 0; begin < plan.h.count(); begin += plan.band_rows) {
        const Band<Element> band = band_at(n, begin);
        for (std::int64_t block = first; block < first + at_once; ++block) {
          convolve_block(plan, blocks, block, band, with, out + n * plan.out_image_floats);
        }
      }
    }
  }
}
