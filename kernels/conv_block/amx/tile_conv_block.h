// The convolution block on a tile unit.
#pragma once

#include "kernels/conv_block/amx/tile_backward_data.h"
#include "kernels/conv_block/amx/tile_backward_filter.h"
#include "kernels/conv_block/amx/tile_forward.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {
namespace {

// `gradients`: for filter gradients of shapes that tiles do not take; may be null.
template <typename Tiles>
Bf16ConvBlock tile_conv_block(const Bf16Gradients* gradients) {
  return {.convolution = &TileForward<Tiles>::kConvolution,
          .backward_data = &TileBackwardData<Tiles>::kBackwardData,
          .backward_filter = &TileBackwardFilter<Tiles>::kBackwardFilter,
          .gradients = gradients};
}

}  // namespace
}  // namespace gradflip
