// conv2d + bias + relu + max_pool2d in one pass, for pools whose windows do not overlap and are not
// padded.
//
//   y[n,p,q,k] = max over the pool window of max(0, conv2d(x, filter)[..] + bias[k])
// x is NHWC, filter RSCK, bias (K), pooled N,PP,PQ,K with PP = P / pool_h, PQ = Q / pool_w (rows
// and columns of the convolution that fill no whole window are dropped); all dense f32. N may be 0.
// No pointer may alias another.
//
// winner[n,p,q,k] (one byte, same shape as pooled) = r*pool_w + s of the maximum, first of equals;
// kDeadWinner where ReLU passes no gradient (maximum <= 0). A NaN wins and stays NaN. pool_h *
// pool_w <= 254. Backward reads pooled gradients and winners only: the dense gradient, at least 3/4
// zeros, never exists.
//
// Scratch: every function takes conv_block_workspace_bytes(ctx, shape) bytes at `workspace`,
// 64-byte aligned; its contents need not survive between calls. No more for a smaller N.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/conv2d.h"
#include "kernels/step_state.h"
#include "kernels/write.h"

namespace gradflip {

inline constexpr std::uint8_t kDeadWinner = 255;

struct ConvBlockShape {
  Conv2dShape conv;
  std::int64_t pool_h = 2, pool_w = 2;

  std::int64_t PP() const { return conv.P() / pool_h; }
  std::int64_t PQ() const { return conv.Q() / pool_w; }
};

// Throws std::invalid_argument unless conv is valid, the pool window has 1 to 254 positions and
// fits the convolution's output.
void require_valid(const ConvBlockShape& shape);

std::int64_t conv_block_workspace_bytes(Cpu ctx, const ConvBlockShape& shape);
std::int64_t conv_block_workspace_bytes(Cuda ctx, const ConvBlockShape& shape);

// Overwrites pooled and winner.
void conv_block_forward(Cpu ctx, const ConvBlockShape& shape, const float* x, const float* filter,
                        const float* bias, float* pooled, std::uint8_t* winner, void* workspace);
void conv_block_forward(Cuda ctx, const ConvBlockShape& shape, const float* x, const float* filter,
                        const float* bias, float* pooled, std::uint8_t* winner, void* workspace);

// dx, NHWC, from dpooled at the winners. Overwrites dx.
void conv_block_backward_data(Cpu ctx, const ConvBlockShape& shape, const float* dpooled,
                              const std::uint8_t* winner, const float* filter, float* dx,
                              void* workspace);
void conv_block_backward_data(Cuda ctx, const ConvBlockShape& shape, const float* dpooled,
                              const std::uint8_t* winner, const float* filter, float* dx,
                              void* workspace);

// dfilter (RSCK) and dbias (K), overwritten or added to. N = 0 contributes zeros. What they become
// is reported to `watch`; on CUDA its tickets spare a launch, after which sums are added in another
// order.
void conv_block_backward_filter(Cpu ctx, const ConvBlockShape& shape, const float* x,
                                const float* dpooled, const std::uint8_t* winner, Write write,
                                float* dfilter, float* dbias, void* workspace,
                                const GradientWatch& watch = {});
void conv_block_backward_filter(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                const float* dpooled, const std::uint8_t* winner, Write write,
                                float* dfilter, float* dbias, void* workspace,
                                const GradientWatch& watch = {});

}  // namespace gradflip
