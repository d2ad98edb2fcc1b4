// Bugs in the use of global memory by one kernel.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

enum class Bug {
  kNone,
  kTailStored,
  kTailLoaded,
  kOffsetOverflow,
  kUninitialised,
  kMisaligned,
  kOneByteOff,
  kSharedWord,
};

// y[i] = x[i] + x[i + 1], the last one alone; 300 elements in blocks of 128.
template <Bug kBug>
__global__ void pairs_kernel(int size, const float* x, float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= size && kBug != Bug::kTailStored) return;
  float value = i < size ? x[i] : 0;
  if (i + 1 < size || kBug == Bug::kTailLoaded) value += x[i + 1];
  y[i] = value;
}

template <Bug kBug>
bool pairs() {
  const std::vector<float> x = ramp(300);
  DeviceArray<float> device_x(x), y(300);
  launch(pairs_kernel<kBug>, 3, 128, 0, nullptr, 300, device_x.data(), y.data());
  std::vector<float> expected(300);
  for (int i = 0; i < 300; ++i) expected[i] = x[i] + (i + 1 < 300 ? x[i + 1] : 0);
  return holds(y, expected);
}

// Picks from a table what a large matrix would have at (row, row).
template <Bug kBug>
__global__ void pick_kernel(int stride, int table_size, const float* table, float* y) {
  const int row = 70000 + static_cast<int>(threadIdx.x);
  std::int64_t offset = 0;
  if constexpr (kBug == Bug::kOffsetOverflow) {
    offset = row * stride;
  } else {
    offset = std::int64_t{row} * stride;
  }
  y[threadIdx.x] = table[(offset < 0 ? -offset : offset) % table_size];
}

template <Bug kBug>
bool pick() {
  const std::vector<float> table = ramp(101);
  DeviceArray<float> device_table(table), y(32);
  launch(pick_kernel<kBug>, 1, 32, 0, nullptr, 70001, 101, device_table.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 32; ++i) expected[i] = table[(std::int64_t{70000} + i) * 70001 % 101];
  return holds(y, expected);
}

// Adds x to what the workspace holds.
__global__ void accumulate_kernel(const float* x, float* workspace) {
  workspace[threadIdx.x] += x[threadIdx.x];
}

template <Bug kBug>
bool accumulate() {
  const std::vector<float> x = ramp(64);
  DeviceArray<float> device_x(x), workspace(64);
  if (kBug != Bug::kUninitialised) workspace.set(std::vector<float>(64));
  launch(accumulate_kernel, 1, 64, 0, nullptr, device_x.data(), workspace.data());
  return holds(workspace, x);
}

// Copies four elements at a time.
__global__ void copy_fours_kernel(const float* x, float* y) {
  reinterpret_cast<float4*>(y)[threadIdx.x] = reinterpret_cast<const float4*>(x)[threadIdx.x];
}

template <Bug kBug>
bool copy_fours() {
  const int skip = kBug == Bug::kMisaligned ? 1 : 4;
  const std::vector<float> x = ramp(128 + 4);
  DeviceArray<float> device_x(x), y(128);
  launch(copy_fours_kernel, 1, 32, 0, nullptr, device_x.data() + skip, y.data());
  return holds(y, {x.begin() + skip, x.begin() + skip + 128});
}

// y[i] = the element of its four that a byte names, as max pooling's gradient reads its winners.
template <Bug kBug>
__global__ void winners_kernel(const float* x, const std::uint8_t* winners, float* y) {
  const unsigned i = threadIdx.x;
  y[i] = x[4 * i + winners[kBug == Bug::kOneByteOff ? i + 1 : i]];
}

template <Bug kBug>
bool pick_winners() {
  const std::vector<float> x = ramp(4 * 64);
  std::vector<std::uint8_t> winners(64);
  for (int i = 0; i < 64; ++i) winners[i] = static_cast<std::uint8_t>(i * i % 7 % 4);
  DeviceArray<float> device_x(x), y(64);
  DeviceArray<std::uint8_t> device_winners(winners);
  launch(winners_kernel<kBug>, 1, 64, 0, nullptr, device_x.data(), device_winners.data(), y.data());
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = x[4 * i + winners[i]];
  return holds(y, expected);
}

// Stores bytes: as bytes, or by changing the word that holds four threads' bytes.
template <Bug kBug>
__global__ void store_bytes_kernel(std::uint32_t* words) {
  const unsigned i = threadIdx.x;
  if constexpr (kBug == Bug::kSharedWord) {
    words[i / 4] |= i << (8 * (i % 4));
  } else {
    reinterpret_cast<std::uint8_t*>(words)[i] = static_cast<std::uint8_t>(i);
  }
}

template <Bug kBug>
bool store_bytes() {
  DeviceArray<std::uint32_t> words(std::vector<std::uint32_t>(32));
  launch(store_bytes_kernel<kBug>, 1, 128, 0, nullptr, words.data());
  std::vector<std::uint32_t> expected(32);
  for (unsigned i = 0; i < 128; ++i) expected[i / 4] |= i << (8 * (i % 4));
  return holds(words, expected);
}

constexpr Case kCases[] = {
    {"sums of pairs in 300 elements", kRight, kRight, kRight, "", pairs<Bug::kNone>},
    {"a store whose tail is not guarded", kError, kSanitizer, kError, "out-of-bounds",
     pairs<Bug::kTailStored>},
    {"a load past the end", kWrong, kSanitizer, kError, "out-of-bounds", pairs<Bug::kTailLoaded>},
    {"an offset beyond 2^31", kRight, kRight, kRight, "", pick<Bug::kNone>},
    {"an offset beyond 2^31 in 32 bits", kWrong, kSanitizer, kWrong, "",
     pick<Bug::kOffsetOverflow>},
    {"a sum into a workspace", kRight, kRight, kRight, "", accumulate<Bug::kNone>},
    {"a sum into a workspace that nobody cleared", kWrong, kWrong, kError, "uninitialised read",
     accumulate<Bug::kUninitialised>},
    {"a copy in float4", kRight, kRight, kRight, "", copy_fours<Bug::kNone>},
    {"a copy in float4 from a misaligned address", kRight | kCrash, kSanitizer, kError,
     "misaligned", copy_fours<Bug::kMisaligned>},
    {"winners of max pooling", kRight, kRight, kRight, "", pick_winners<Bug::kNone>},
    {"winners read one byte off", kWrong | kCrash, kSanitizer, kError, "out-of-bounds",
     pick_winners<Bug::kOneByteOff>},
    {"bytes stored by neighbours", kRight, kRight, kRight, "", store_bytes<Bug::kNone>},
    {"bytes stored by changing their word", kRight, kRight, kError, "race on global memory",
     store_bytes<Bug::kSharedWord>},
};

}  // namespace

Theme global_memory() { return {"Global memory", kCases}; }

}  // namespace planted
