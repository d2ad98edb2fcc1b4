// Bugs with cp.async: a pipeline of two stages.
#include "kernels/cuda/mma.h"
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::cp_async;
using gradflip::cp_async_commit;
using gradflip::cp_async_wait;
using gradflip::launch;

enum class Bug {
  kNone,
  kNoWait,
  kNoBarrierAfterWait,
  kOneGroupTooMany,
  kCommitOnlyWithCopies,
  kNoBarrierBeforeReuse,
  kTailLeftOut,
  kTailNotCut,
  kMisaligned,
};

constexpr int kTile = 128;
constexpr int kThreads = 64;  // two elements each

template <Bug kBug>
__device__ void copy_tile(int size, const float* x, int begin, float* stage) {
  const int t = static_cast<int>(threadIdx.x);
  const int i = begin + 2 * t;
  const int valid = i + 2 <= size ? 2 : i + 1 == size ? 1 : 0;
  if constexpr (kBug == Bug::kTailLeftOut) {
    if (valid == 0) return;  // the stage keeps an earlier tile's elements
  }
  if constexpr (kBug == Bug::kTailNotCut) {
    cp_async<8>(stage + 2 * t, x + i);
  } else if constexpr (kBug == Bug::kMisaligned) {
    cp_async<8>(stage + 2 * t, valid > 0 ? x + i - 1 : x, 4 * valid);
  } else {
    cp_async<8>(stage + 2 * t, valid > 0 ? x + i : x, 4 * valid);
  }
}

// y[t] = sum over tiles of the elements 127 - t; beyond `size` they are zero.
template <Bug kBug>
__global__ void pipeline_kernel(int size, const float* x, float* y) {
  GRADFLIP_SHARED(float2, stage, [2][kTile / 2]);
  const unsigned t = threadIdx.x;
  float low = 0, high = 0;
  copy_tile<kBug>(size, x, 0, &stage[0][0].x);
  cp_async_commit();
  for (int begin = 0, turn = 0; begin < size; begin += kTile, turn ^= 1) {
    const bool more = begin + kTile < size;
    if (more) copy_tile<kBug>(size, x, begin + kTile, &stage[turn ^ 1][0].x);
    if (more || kBug != Bug::kCommitOnlyWithCopies) cp_async_commit();
    if constexpr (kBug == Bug::kOneGroupTooMany) {
      cp_async_wait<2>();
    } else if constexpr (kBug != Bug::kNoWait) {
      cp_async_wait<1>();
    }
    if (kBug != Bug::kNoBarrierAfterWait) __syncthreads();
    const float2 pair = stage[turn][kTile / 2 - 1 - t];
    low += pair.y;
    high += pair.x;
    if (kBug != Bug::kNoBarrierBeforeReuse) __syncthreads();
  }
  y[2 * t] = low;
  y[2 * t + 1] = high;
}

template <Bug kBug>
bool pipeline() {
  constexpr int kSize = 2 * kTile + 45;
  const std::vector<float> x = ramp(kSize);
  DeviceArray<float> device_x(x), y(kTile);
  launch(pipeline_kernel<kBug>, 1, kThreads, 0, nullptr, kSize, device_x.data(), y.data());
  std::vector<float> expected(kTile);
  for (int i = 0; i < kSize; ++i) expected[kTile - 1 - i % kTile] += x[i];
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"a pipeline of two stages", kRight, kRight, kRight, "", pipeline<Bug::kNone>},
    {"no wait", kWrong, kWrong, kError, "before its wait", pipeline<Bug::kNoWait>},
    {"no barrier after the wait", kWrong, kWrong, kError, "before its wait|race on shared",
     pipeline<Bug::kNoBarrierAfterWait>},
    {"a wait that leaves one group too many", kWrong, kWrong, kError, "before its wait",
     pipeline<Bug::kOneGroupTooMany>},
    {"no commit where nothing is copied", kWrong, kWrong, kError, "before its wait",
     pipeline<Bug::kCommitOnlyWithCopies>},
    {"no barrier before a stage is filled again", kRight | kWrong, kRight | kWrong, kError,
     "race on shared memory|before its wait", pipeline<Bug::kNoBarrierBeforeReuse>},
    {"a tail that is left out, not zeroed", kWrong, kWrong, kWrong, "",
     pipeline<Bug::kTailLeftOut>},
    {"a tail read past the end", kWrong, kSanitizer, kError, "out-of-bounds",
     pipeline<Bug::kTailNotCut>},
    {"a copy from a misaligned address", kError, kError, kError, "", pipeline<Bug::kMisaligned>},
};

}  // namespace

Theme async_copies() { return {"Asynchronous copies", kCases}; }

}  // namespace planted
