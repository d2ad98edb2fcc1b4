// Direct convolution, the CPU's path for every geometry.
//
// Decomposition  rows of the RSCK filter are contiguous over K, so the inner loops run over K:
//                forward and backward_filter add multiples of a row, backward_data takes dot
//                products.
// Numerics       f32 sums in a fixed order; a dot product keeps kLanes partial sums.
// Cost           2*N*P*Q*R*S*C*K operations, no scratch.
#include "kernels/conv2d.h"

#include <algorithm>
#include <array>

#include "kernels/require.h"

namespace gradflip {
namespace {

// Two SSE or one AVX register of partial sums: without them a dot product would be one chain of
// dependent additions.
constexpr std::int64_t kLanes = 8;

float dot(std::int64_t size, const float* a, const float* b) {
  std::array<float, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (std::int64_t lane = 0; i < size; ++i, ++lane) lanes[lane] += a[i] * b[i];
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// y += factor * x
void add_multiple(std::int64_t size, float factor, const float* __restrict__ x,
                  float* __restrict__ y) {
  for (std::int64_t i = 0; i < size; ++i) y[i] += factor * x[i];
}

// One output position and one filter tap inside the image: offsets of x[n,h,w,0], filter[r,s,0,0]
// and y[n,p,q,0].
struct Tap {
  std::int64_t x, filter, y;
};

template <typename Visit>
void for_each_tap(const Conv2dShape& shape, const Visit& visit) {
  const std::int64_t P = shape.P();
  const std::int64_t Q = shape.Q();
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t p = 0; p < P; ++p) {
      for (std::int64_t q = 0; q < Q; ++q) {
        for (std::int64_t r = 0; r < shape.R; ++r) {
          const std::int64_t h = p * shape.stride_h - shape.pad_h + r * shape.dilation_h;
          if (h < 0 || h >= shape.H) continue;
          for (std::int64_t s = 0; s < shape.S; ++s) {
            const std::int64_t w = q * shape.stride_w - shape.pad_w + s * shape.dilation_w;
            if (w < 0 || w >= shape.W) continue;
            visit(Tap{.x = ((n * shape.H + h) * shape.W + w) * shape.C,
                      .filter = (r * shape.S + s) * shape.C * shape.K,
                      .y = ((n * P + p) * Q + q) * shape.K});
          }
        }
      }
    }
  }
}

void require_axis(const char* axis, std::int64_t size, std::int64_t taps, std::int64_t stride,
                  std::int64_t pad, std::int64_t dilation) {
  GRADFLIP_REQUIRE(size > 0 && taps > 0, message("conv2d: ", axis, " of the image is ", size,
                                                 ", of the filter ", taps, "; both must be > 0"));
  GRADFLIP_REQUIRE(stride > 0 && pad >= 0 && dilation > 0,
                   message("conv2d: along the ", axis, " stride is ", stride, " (> 0), padding ",
                           pad, " (>= 0), dilation ", dilation, " (> 0)"));
  GRADFLIP_REQUIRE(size + 2 * pad > dilation * (taps - 1),
                   message("conv2d: filter spans ", dilation * (taps - 1) + 1, " along the ", axis,
                           ", the padded image has ", size + 2 * pad));
}

}  // namespace

void require_valid(const Conv2dShape& shape) {
  GRADFLIP_REQUIRE(shape.N >= 0, message("conv2d: N is ", shape.N, ", must be >= 0"));
  GRADFLIP_REQUIRE(shape.C > 0 && shape.K > 0, message("conv2d: ", shape.C, " channels, ", shape.K,
                                                       " filters; both must be > 0"));
  require_axis("height", shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
  require_axis("width", shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
}

void conv2d_forward(Cpu /*ctx*/, const Conv2dShape& shape, const float* x, const float* filter,
                    float* y) {
  require_valid(shape);
  std::fill_n(y, shape.N * shape.P() * shape.Q() * shape.K, 0.0F);
  for_each_tap(shape, [&](const Tap& tap) {
    for (std::int64_t c = 0; c < shape.C; ++c) {
      add_multiple(shape.K, x[tap.x + c], filter + tap.filter + c * shape.K, y + tap.y);
    }
  });
}

void conv2d_backward_data(Cpu /*ctx*/, const Conv2dShape& shape, const float* dy,
                          const float* filter, float* dx) {
  require_valid(shape);
  std::fill_n(dx, shape.N * shape.H * shape.W * shape.C, 0.0F);
  for_each_tap(shape, [&](const Tap& tap) {
    for (std::int64_t c = 0; c < shape.C; ++c) {
      dx[tap.x + c] += dot(shape.K, dy + tap.y, filter + tap.filter + c * shape.K);
    }
  });
}

std::int64_t conv2d_backward_filter_workspace_bytes(Cpu /*ctx*/, const Conv2dShape& shape) {
  require_valid(shape);
  return 0;
}

void conv2d_backward_filter(Cpu /*ctx*/, const Conv2dShape& shape, const float* x, const float* dy,
                            Write write, float* dfilter, void* /*workspace*/) {
  require_valid(shape);
  if (write == Write::kOverwrite) {
    std::fill_n(dfilter, shape.R * shape.S * shape.C * shape.K, 0.0F);
  }
  for_each_tap(shape, [&](const Tap& tap) {
    for (std::int64_t c = 0; c < shape.C; ++c) {
      add_multiple(shape.K, x[tap.x + c], dy + tap.y, dfilter + tap.filter + c * shape.K);
    }
  });
}

}  // namespace gradflip
