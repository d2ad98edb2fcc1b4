#include "benchmarks/support/machine.h"

namespace gradflip::bench {

Bound bound_of(const Work& work, Math math, const Peaks& peaks) {
  const double arithmetic = work.flops / peak_flops(peaks, math);
  const double memory = work.bytes / peaks.copy_bytes;
  return memory > arithmetic ? Bound{memory, true} : Bound{arithmetic, false};
}

nlohmann::ordered_json to_json(const Peaks& peaks) {
  return {{"gflops_f32", peak_flops(peaks, Math::kF32) * 1e-9},
          {"gflops_tf32", peak_flops(peaks, Math::kTf32) * 1e-9},
          {"gflops_bf16", peak_flops(peaks, Math::kBf16) * 1e-9},
          {"gflops_tf32x3", peak_flops(peaks, Math::kTf32x3) * 1e-9},
          {"copy_gb_per_second", peaks.copy_bytes * 1e-9},
          {"cores", peaks.cores}};
}

}  // namespace gradflip::bench
