// The taps of a FilterGradientPlan by the tiles of kernels/cpu/filter_gradient_tile.h. Text, included
// behind it.

// Adds a panel to sum (R*S*C, K): x and dy as pixels of Elements, dy's in whole vectors of channels.
void accumulate_panel(const FilterGradientPlan& plan, const GradientPanel& panel, const Element* x,
                      const Element* dy, float* sum) {
  const Conv2dShape& shape = plan.shape;
  const ChannelBlocks blocks(shape.K);
  const std::int64_t sum_stride = blocks.vectors * kLanes;
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t first = blocks.begin(block) * kLanes;
    const std::int64_t vectors = blocks.begin(block + 1) - blocks.begin(block);
    float* to = sum + first;
    for (std::int64_t r = 0; r < shape.R; ++r) {
      const Element* row = x + r * shape.dilation_h * plan.width;
      for (std::int64_t run = 0; run < plan.runs; ++run) {
        accumulate_run(vectors, plan.run_length, panel, row + run * plan.run_stride, dy + first, to,
                       sum_stride);
        to += plan.run_length * sum_stride;
      }
    }
  }
}
