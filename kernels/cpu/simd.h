// SIMD for the CPU kernels: Google Highway, compiled once per instruction set and dispatched at run
// time. This file and simd_targets.h are the only ones that name an instruction set, but for the
// files named after one (bf16_convolution_avx512.cpp, amx). A kernel file looks like this:
//
//   #include "kernels/sgd.h"
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "kernels/sgd.cpp"  // this file: it is compiled once per target
//   #include "kernels/cpu/simd.h"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace gradflip::HWY_NAMESPACE {
//   namespace {
//   void sgd_simd(...) { ... }                    // vectors of kLanes floats
//   }  // namespace
//   }  // namespace gradflip::HWY_NAMESPACE
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE
//   namespace gradflip {
//   HWY_EXPORT(sgd_simd);
//   void sgd(Cpu, ...) { HWY_DYNAMIC_DISPATCH(sgd_simd)(...); }
//   }  // namespace gradflip
//   #endif
//
// A header with code per target (transpose.h) includes this one, and then repeats the include guard
// below under its own name.

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd_targets.h"

// clang-format off
#include "hwy/foreach_target.h"  // first: it decides what highway.h defines
#include "hwy/highway.h"
// clang-format on

#if defined(GRADFLIP_KERNELS_CPU_SIMD_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_SIMD_H
#undef GRADFLIP_KERNELS_CPU_SIMD_H
#else
#define GRADFLIP_KERNELS_CPU_SIMD_H
#endif

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using ByteTag = hn::Rebind<std::uint8_t, FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Ints = hn::Vec<IntTag>;

constexpr std::int64_t kLanes = HWY_LANES(float);

// Vector registers that accumulators may take, when a few are left for operands: of 32 with
// AVX-512 and NEON, of 16 otherwise.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kAccumulators = 24;
#else
constexpr int kAccumulators = 12;
#endif

HWY_INLINE Floats load(const float* p) { return hn::LoadU(FloatTag(), p); }
HWY_INLINE void store(Floats v, float* p) { hn::StoreU(v, FloatTag(), p); }
HWY_INLINE Floats broadcast(float value) { return hn::Set(FloatTag(), value); }
HWY_INLINE Floats zeros() { return hn::Zero(FloatTag()); }

// The first `count` of kLanes elements (0 <= count <= kLanes); the other lanes are zero. Memory
// past them is not touched: AVX2 and AVX-512 mask, the others go through a copy.
HWY_INLINE Floats load_first(std::int64_t count, const float* p) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(FloatTag(), static_cast<std::size_t>(count)), FloatTag(), p);
#else
  alignas(64) float lanes[kLanes] = {};
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    if (lane < count) lanes[lane] = p[lane];
  }
  return load(lanes);
#endif
}

HWY_INLINE void store_first(std::int64_t count, Floats v, float* p) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(FloatTag(), static_cast<std::size_t>(count)), FloatTag(), p);
#else
  alignas(64) float lanes[kLanes];
  store(v, lanes);
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    if (lane < count) p[lane] = lanes[lane];
  }
#endif
}

// Bytes as integers, likewise; `count` may also exceed kLanes.
HWY_INLINE Ints load_bytes(std::int64_t count, const std::uint8_t* p) {
  if (count >= kLanes) return hn::PromoteTo(IntTag(), hn::LoadU(ByteTag(), p));
  std::uint8_t lanes[kLanes] = {};
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    if (lane < count) lanes[lane] = p[lane];
  }
  return hn::PromoteTo(IntTag(), hn::LoadU(ByteTag(), lanes));
}

HWY_INLINE void store_bytes(std::int64_t count, Ints v, std::uint8_t* p) {
  const auto bytes = hn::DemoteTo(ByteTag(), v);
  if (count >= kLanes) return hn::StoreU(bytes, ByteTag(), p);
  std::uint8_t lanes[kLanes];
  hn::StoreU(bytes, ByteTag(), lanes);
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    if (lane < count) p[lane] = lanes[lane];
  }
}

constexpr std::int64_t vectors_for(std::int64_t floats) { return (floats + kLanes - 1) / kLanes; }

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
