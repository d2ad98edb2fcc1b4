// Bugs in the use of shared memory.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::dynamic_shared;
using gradflip::launch;

enum class Bug {
  kNone,
  kStorePastEnd,
  kLoadPastEnd,
  kNotAllStored,
  kKeptFromLastBlock,
  kRowsOverlap,
  kTooFewBytes,
  kMisaligned,
};

// y[i] = x[i] + x[i + 1] within a block, the last one alone. `last` is 127: an index that the
// compiler does not know.
template <Bug kBug>
__global__ void pairs_kernel(unsigned last, const float* x, float* y) {
  GRADFLIP_SHARED(float, tile, [128]);
  const unsigned t = threadIdx.x;
  if (kBug == Bug::kStorePastEnd && t == last) tile[t + 1] = 0;
  if (kBug == Bug::kKeptFromLastBlock) {
    if (blockIdx.x == 0) tile[t] = x[t];
  } else if (kBug != Bug::kNotAllStored || t != 5) {
    tile[t] = x[t];
  }
  __syncthreads();
  float value = tile[t];
  if (t < last || kBug == Bug::kLoadPastEnd) value += tile[t + 1];
  y[blockIdx.x * 128 + t] = value;
}

template <Bug kBug>
bool pairs() {
  const std::vector<float> x = ramp(128);
  DeviceArray<float> device_x(x), y(256);
  launch(pairs_kernel<kBug>, 2, 128, 0, nullptr, 127, device_x.data(), y.data());
  std::vector<float> expected(256);
  for (int i = 0; i < 256; ++i) expected[i] = x[i % 128] + (i % 128 < 127 ? x[i % 128 + 1] : 0);
  return holds(y, expected);
}

// Transposes a 32x32 matrix through a tile whose rows are padded by one element.
template <Bug kBug>
__global__ void transpose_kernel(const float* x, float* y) {
  constexpr unsigned kStride = kBug == Bug::kRowsOverlap ? 31 : 33;
  float* tile = dynamic_shared<float>();
  const unsigned t = threadIdx.x;
  for (unsigned row = 0; row < 32; ++row) tile[row * kStride + t] = x[row * 32 + t];
  __syncthreads();
  for (unsigned row = 0; row < 32; ++row) y[row * 32 + t] = tile[t * kStride + row];
}

template <Bug kBug>
bool transpose() {
  const std::vector<float> x = ramp(1024);
  DeviceArray<float> device_x(x), y(1024);
  const std::size_t bytes = (kBug == Bug::kTooFewBytes ? 32 * 32 : 32 * 33) * sizeof(float);
  launch(transpose_kernel<kBug>, 1, 32, bytes, nullptr, device_x.data(), y.data());
  std::vector<float> expected(1024);
  for (int i = 0; i < 1024; ++i) expected[i] = x[i % 32 * 32 + i / 32];
  return holds(y, expected);
}

// Sums of four neighbours, read as one float4.
template <Bug kBug>
__global__ void fours_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float4, tile, [33]);
  float* const elements = &tile[0].x;
  const unsigned t = threadIdx.x;
  for (unsigned i = t; i < 132; i += 32) elements[i] = i < 128 ? x[i] : 0;
  __syncthreads();
  const float* const first = elements + 4 * t + (kBug == Bug::kMisaligned ? 1 : 0);
  const float4 four = *reinterpret_cast<const float4*>(first);
  y[t] = four.x + four.y + four.z + four.w;
}

template <Bug kBug>
bool fours() {
  const std::vector<float> x = ramp(128);
  DeviceArray<float> device_x(x), y(32);
  launch(fours_kernel<kBug>, 1, 32, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 128; ++i) expected[i / 4] += x[i];
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"sums of pairs", kRight, kRight, kRight, "", pairs<Bug::kNone>},
    {"a store past the end of an array", kError, kSanitizer, kError, "out-of-bounds|write outside",
     pairs<Bug::kStorePastEnd>},
    {"a load past the end of an array", kWrong, kSanitizer, kError, "out-of-bounds",
     pairs<Bug::kLoadPastEnd>},
    {"an element that no thread stores", kWrong, kWrong, kError, "uninitialised read",
     pairs<Bug::kNotAllStored>},
    {"contents expected from the block before", kWrong, kWrong, kError, "uninitialised read",
     pairs<Bug::kKeptFromLastBlock>},
    {"a padded transpose", kRight, kRight, kRight, "", transpose<Bug::kNone>},
    {"rows that overlap", kWrong, kWrong, kError, "race on shared memory",
     transpose<Bug::kRowsOverlap>},
    {"less dynamic memory than is used", kError, kSanitizer, kError, "out-of-bounds|write outside",
     transpose<Bug::kTooFewBytes>},
    {"float4 loads", kRight, kRight, kRight, "", fours<Bug::kNone>},
    {"a misaligned float4 load", kWrong | kCrash, kSanitizer, kError, "misaligned",
     fours<Bug::kMisaligned>},
};

}  // namespace

Theme shared_memory() { return {"Shared memory", kCases}; }

}  // namespace planted
