// The taps of a FilterGradientPlan by the tiles of kernels/cpu/filter_gradient_tile.h. Text, included
// behind it.

// A panel with x and dy, its columns being `kPixels` neighbouring pixels each, and the outputs that
// it covers.
struct PanelOperands {
  GradientPanel panel;
  const Element* x;
  const Element* dy;  // in whole vectors of channels
  PanelRange range;
};

// What is left of a panel for taps that meet only these rows and columns of outputs in the image.
template <std::int64_t kPixels>
PanelOperands part_of(PanelOperands of, const OutputRange& rows, const OutputRange& columns) {
  const std::int64_t first_row = std::max<std::int64_t>(rows.begin - of.range.p, 0);
  const std::int64_t end_row = std::min(rows.end - of.range.p, of.range.rows);
  const std::int64_t first_column = columns.begin / kPixels;
  const std::int64_t end_column = (columns.end + kPixels - 1) / kPixels;
  of.panel.rows = std::max<std::int64_t>(end_row - first_row, 0);
  of.panel.columns = std::max<std::int64_t>(end_column - first_column, 0);
  of.x += first_row * of.panel.x_row + first_column * of.panel.x_column;
  of.dy += first_row * of.panel.dy_row + first_column * of.panel.dy_column;
  return of;
}

// Adds one block of channels of a panel to sum (R*S*C, K), from that block on.
template <std::int64_t kPixels>
void accumulate_block(const FilterGradientPlan& plan, const PanelOperands& operands,
                      std::int64_t vectors, float* sum, std::int64_t sum_stride) {
  const Conv2dShape& shape = plan.shape;
  for (std::int64_t r = 0; r < shape.R; ++r) {
    const OutputRange rows = plan.rows_of_tap(r);
    for (std::int64_t run = 0; run < plan.runs; ++run) {
      const PanelOperands part = part_of<kPixels>(operands, rows, plan.columns_of_run(run));
      if (part.panel.rows > 0 && part.panel.columns > 0) {
        accumulate_run(vectors, plan.run_length, part.panel,
                       part.x + r * shape.dilation_h * plan.width + run * plan.run_stride, part.dy,
                       sum, sum_stride);
      }
      sum += plan.run_length * sum_stride;
    }
  }
}

template <std::int64_t kPixels>
void accumulate_panel(const FilterGradientPlan& plan, const PanelOperands& operands, float* sum) {
  const ChannelBlocks blocks(plan.shape.K);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t first = blocks.begin(block) * kLanes;
    PanelOperands of_block = operands;
    of_block.dy += first;
    accumulate_block<kPixels>(plan, of_block, blocks.begin(block + 1) - blocks.begin(block),
                              sum + first, blocks.vectors * kLanes);
  }
}
