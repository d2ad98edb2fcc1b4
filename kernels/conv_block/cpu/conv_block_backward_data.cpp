// conv_block_backward_data on the CPU.
//
// Decomposition  per image, the gradients that pass (winner alive, gradient not zero) are sorted
//                into one list per pixel of the convolution. Then for each filter row, which the
//                L1 cache holds for the paper's layers, each list's products with the filter are
//                summed in registers and added to dx once.
// Filter         transposed once per call to (R, runs, K, run_length): the floats that one gradient
//                meets in one image row are consecutive.
// Numerics       fixed order: lists by channel, added to dx by (r, run, pixel). A gradient that is
//                zero or dead contributes nothing at all, not 0 * filter.
// Cost           2*R*S*C operations per gradient that passes, one load for every multiply-add.
//                bf16_backward.h's pass, where there is one, is dense.

#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_block/cpu/conv_block_backward_data.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/transpose.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Floats of a run that one pass over a list sums: with AVX-512 10 vectors are the 5x32 of the
// paper's second layer, and enough independent sums for two units with a latency of four.
constexpr int kMaxVectors = std::min(kAccumulators, 10);

// (R*S*C, K) to (R, runs, K, run_length), each run padded with zeros to `run_floats`.
void transpose_filter(const ConvBlockShape& shape, const ConvBlockGeometry& geometry,
                      const float* filter, std::int64_t run_floats, float* transposed) {
  const std::int64_t K = shape.conv.K;
  std::fill_n(transposed, shape.conv.R * geometry.runs * K * run_floats, 0.0F);
  for (std::int64_t run = 0; run < shape.conv.R * geometry.runs; ++run) {
    transpose<Write::kOverwrite>(geometry.run_length, K, filter + run * geometry.run_length * K, K,
                                 transposed + run * K * run_floats, run_floats);
  }
}

// Appends the lanes where `selected`; may write a whole vector. Returns how many it appended.
template <typename Mask>
HWY_INLINE std::int64_t append(Floats gradient, Ints channel, Mask selected, float* gradients,
                               std::int32_t* channels) {
#if HWY_TARGET == HWY_SCALAR
  store(gradient, gradients);
  hn::StoreU(channel, IntTag(), channels);
#else
  store(hn::Compress(gradient, selected), gradients);
  hn::StoreU(hn::Compress(channel, hn::RebindMask(IntTag(), selected)), IntTag(), channels);
#endif
  return static_cast<std::int64_t>(hn::CountTrue(FloatTag(), selected));
}

// Sorts one image's gradients by where they go, and returns the number of lists.
std::int64_t list_gradients(const ConvBlockShape& shape, const ConvBlockGeometry& geometry,
                            const float* dpooled, const std::uint8_t* winner,
                            const BackwardDataScratch& scratch) {
  const FloatTag d;
  const IntTag di;
  const Ints first_channels = hn::Iota(di, 0);
  const std::int64_t K = shape.conv.K;
  GradientList* list = scratch.list;
  std::int64_t size = 0;
  const std::int64_t PP = shape.PP(), PQ = shape.PQ();  // divisions
  for (std::int64_t p = 0; p < PP; ++p) {
    for (std::int64_t q = 0; q < PQ; ++q, dpooled += K, winner += K) {
      std::int32_t position = 0;
      for (std::int64_t r = 0; r < shape.pool_h; ++r) {
        for (std::int64_t s = 0; s < shape.pool_w; ++s, ++position) {
          list->begin = size;
          list->dx_offset = (p * shape.pool_h + r) * geometry.pixel_row_stride +
                            (q * shape.pool_w + s) * geometry.pixel_stride;
          for (std::int64_t k = 0; k < K; k += kLanes) {
            const Ints code = load_bytes(K - k, winner + k);
            const Floats gradient =
                k + kLanes <= K ? load(dpooled + k) : load_first(K - k, dpooled + k);
            // Not Ne: it is ordered on some targets, and would drop a NaN.
            const auto not_zero = hn::Not(hn::Eq(gradient, hn::Zero(d)));
            const auto here = hn::RebindMask(d, hn::Eq(code, hn::Set(di, position)));
            size +=
                append(gradient, hn::Add(first_channels, hn::Set(di, static_cast<std::int32_t>(k))),
                       hn::And(not_zero, here), scratch.gradient + size, scratch.channel + size);
          }
          list->size = size - list->begin;
          if (list->size > 0) ++list;
        }
      }
    }
  }
  return list - scratch.list;
}

// dx[0 : floats] += sum over the list of gradient * filter[channel]; kVectors vectors, the last may
// be partial.
template <int kVectors>
void add_products(std::int64_t size, const float* gradients, const std::int32_t* channels,
                  const float* filter, std::int64_t channel_stride, std::int64_t floats,
                  float* dx) {
  Floats sum[kVectors];
  GRADFLIP_UNROLL
  for (int v = 0; v < kVectors; ++v) sum[v] = zeros();
  for (std::int64_t entry = 0; entry < size; ++entry) {
    const Floats gradient = broadcast(gradients[entry]);
    const float* weights = filter + channels[entry] * channel_stride;
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sum[v] = hn::MulAdd(gradient, load(weights + v * kLanes), sum[v]);
    }
  }
  GRADFLIP_UNROLL
  for (int v = 0; v + 1 < kVectors; ++v) {
    store(hn::Add(load(dx + v * kLanes), sum[v]), dx + v * kLanes);
  }
  constexpr int kLast = kVectors - 1;
  const std::int64_t last = floats - kLast * kLanes;
  float* end = dx + kLast * kLanes;
  if (last == kLanes) {
    store(hn::Add(load(end), sum[kLast]), end);
  } else {
    store_first(last, hn::Add(load_first(last, end), sum[kLast]), end);
  }
}

using AddProducts = decltype(&add_products<1>);

template <int kVectors = kMaxVectors>
AddProducts choose_add_products(std::int64_t vectors) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return choose_add_products<kVectors - 1>(vectors);
  }
  return add_products<kVectors>;
}

// One image. dx is what the geometry describes, padding included, and zero.
void scatter_gradients(const ConvBlockShape& shape, const ConvBlockGeometry& geometry,
                       std::int64_t run_floats, const BackwardDataScratch& scratch,
                       std::int64_t num_lists, float* dx) {
  const std::int64_t run_vectors = vectors_for(geometry.run_length);
  const std::int64_t parts = (run_vectors + kMaxVectors - 1) / kMaxVectors;
  for (std::int64_t tap = 0; tap < shape.conv.R * geometry.runs; ++tap) {
    const std::int64_t tap_offset =
        tap / geometry.runs * geometry.tap_row_stride + tap % geometry.runs * geometry.run_stride;
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t first = run_vectors * part / parts;
      const std::int64_t vectors = run_vectors * (part + 1) / parts - first;
      const std::int64_t begin = first * kLanes;
      const std::int64_t floats = std::min(geometry.run_length - begin, vectors * kLanes);
      const AddProducts add = choose_add_products(vectors);
      const float* filter = scratch.filter + tap * shape.conv.K * run_floats + begin;
      for (std::int64_t i = 0; i < num_lists; ++i) {
        const GradientList& list = scratch.list[i];
        add(list.size, scratch.gradient + list.begin, scratch.channel + list.begin, filter,
            run_floats, floats, dx + list.dx_offset + tap_offset + begin);
      }
    }
  }
}

void conv_block_backward_data_simd(const ConvBlockShape& shape, const float* dpooled,
                                   const std::uint8_t* winner, const float* filter, float* dx,
                                   const BackwardDataScratch& scratch) {
  const ConvBlockGeometry geometry(shape);
  const std::int64_t run_floats = vectors_for(geometry.run_length) * kLanes;
  transpose_filter(shape, geometry, filter, run_floats, scratch.filter);
  const std::int64_t image_floats = shape.conv.H * shape.conv.W * shape.conv.C;
  const std::int64_t pooled_floats = shape.PP() * shape.PQ() * shape.conv.K;
  for (std::int64_t n = 0; n < shape.conv.N; ++n) {
    const std::int64_t num_lists = list_gradients(shape, geometry, dpooled + n * pooled_floats,
                                                  winner + n * pooled_floats, scratch);
    float* image = geometry.padded ? scratch.image : dx + n * image_floats;
    std::fill_n(image, geometry.image_floats(), 0.0F);
    scatter_gradients(shape, geometry, run_floats, scratch, num_lists, image);
    if (geometry.padded) crop_image(shape, image, dx + n * image_floats);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(conv_block_backward_data_simd);

void conv_block_backward_data(const Bf16ConvBlock* bf16, const ConvBlockShape& shape,
                              const float* dpooled, const std::uint8_t* winner, const float* filter,
                              float* dx, void* workspace) {
  require_valid(shape);
  if (shape.conv.N == 0) return;
  const Bf16BackwardData* pass = bf16 != nullptr ? bf16->backward_data : nullptr;
  if (pass != nullptr && pass->takes(shape)) {
    return pass->run(shape, dpooled, winner, filter, dx, Scratch(workspace));
  }
  const BackwardDataScratch scratch(shape, Scratch(workspace));
  HWY_DYNAMIC_DISPATCH(conv_block_backward_data_simd)(shape, dpooled, winner, filter, dx, scratch);
}

}  // namespace gradflip
#endif  // HWY_ONCE
