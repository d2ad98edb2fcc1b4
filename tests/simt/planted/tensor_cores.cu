// Bugs with tensor cores and ldmatrix.
#include "kernels/cuda/mma.h"
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;
using gradflip::ldmatrix_x4;
using gradflip::pack_bf16;
using gradflip::to_tf32;

enum class Bug {
  kNone,
  kRegistersSwapped,
  kNotRounded,
  kHalvesSwapped,
  kWrongRow,
  kNotTransposed,
  kNoBarrier,
  kMisalignedRow,
};

// c = a b in tf32: a (16, 8), b (8, 8), c (16, 8).
template <Bug kBug>
__global__ void tf32_kernel(const float* a, const float* b, float* c) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  std::uint32_t fragment_a[4], fragment_b[2];
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned down = kBug == Bug::kRegistersSwapped ? i / 2 : i % 2;
    const unsigned right = kBug == Bug::kRegistersSwapped ? i % 2 : i / 2;
    const float value = a[(g + 8 * down) * 8 + t + 4 * right];
    fragment_a[i] = kBug == Bug::kNotRounded ? __float_as_uint(value) : to_tf32(value);
  }
  for (unsigned i = 0; i < 2; ++i) fragment_b[i] = to_tf32(b[(t + 4 * i) * 8 + g]);
  float d[4] = {};
  gradflip::mma_m16n8k8_tf32(d, fragment_a, fragment_b);
  for (unsigned i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = d[i];
}

template <Bug kBug>
bool tf32() {
  // tf32 keeps 10 bits of a fraction: 1 + 3 * 2^-12 is nearest to 1 + 2^-10, cut off it is 1.
  std::vector<float> a = ramp(16 * 8);
  const std::vector<float> b = ramp(8 * 8);
  a[0] = 1 + 3.0f / 4096;
  DeviceArray<float> device_a(a), device_b(b), c(16 * 8);
  launch(tf32_kernel<kBug>, 1, 32, 0, nullptr, device_a.data(), device_b.data(), c.data());
  a[0] = 1 + 1.0f / 1024;
  std::vector<float> expected(16 * 8);
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      for (int k = 0; k < 8; ++k) expected[m * 8 + n] += a[m * 8 + k] * b[k * 8 + n];
    }
  }
  return holds(c, expected);
}

// c = a b in bf16, staged in shared memory: a, b and c (16, 16), two columns in a word.
template <Bug kBug>
__global__ void bf16_kernel(const float* a, const float* b, float* c) {
  // 48 bytes from row to row: eight rows of 16 bytes lie in different banks.
  constexpr unsigned kWords = kBug == Bug::kMisalignedRow ? 9 : 12;
  GRADFLIP_SHARED(uint4, tile_a, [16 * 12 / 4]);
  GRADFLIP_SHARED(uint4, tile_b, [16 * 12 / 4]);
  auto* const words_a = reinterpret_cast<std::uint32_t*>(tile_a);
  auto* const words_b = reinterpret_cast<std::uint32_t*>(tile_b);
  const unsigned lane = threadIdx.x, g = lane / 4, t = lane % 4;
  for (unsigned i = lane; i < 16 * 8; i += 32) {
    const unsigned word = i / 8 * kWords + i % 8;
    words_a[word] = kBug == Bug::kHalvesSwapped ? pack_bf16(a[2 * i + 1], a[2 * i])
                                                : pack_bf16(a[2 * i], a[2 * i + 1]);
    words_b[word] = pack_bf16(b[2 * i], b[2 * i + 1]);
  }
  if (kBug != Bug::kNoBarrier) __syncthreads();
  // Matrices 0 to 3: upper left, lower left, upper right, lower right.
  const unsigned matrix = lane / 8;
  const unsigned down = kBug == Bug::kWrongRow ? matrix / 2 : matrix % 2;
  const unsigned right = matrix / 2;
  std::uint32_t fragment_a[4], fragments_b[4];
  ldmatrix_x4(fragment_a, words_a + (lane % 8 + 8 * down) * kWords + 4 * right);
  ldmatrix_x4<kBug != Bug::kNotTransposed>(
      fragments_b, words_b + (lane % 8 + 8 * (matrix % 2)) * kWords + 4 * (matrix / 2));
  for (unsigned half = 0; half < 2; ++half) {
    const std::uint32_t fragment_b[2] = {fragments_b[2 * half], fragments_b[2 * half + 1]};
    float d[4] = {};
    gradflip::mma_m16n8k16_bf16(d, fragment_a, fragment_b);
    for (unsigned i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 16 + 8 * half + 2 * t + i % 2] = d[i];
  }
}

template <Bug kBug>
bool bf16() {
  const std::vector<float> a = ramp(16 * 16), b = ramp(16 * 16 + 5);
  DeviceArray<float> device_a(a), device_b(b), c(16 * 16);
  launch(bf16_kernel<kBug>, 1, 32, 0, nullptr, device_a.data(), device_b.data() + 5, c.data());
  std::vector<float> expected(16 * 16);
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      for (int k = 0; k < 16; ++k) expected[m * 16 + n] += a[m * 16 + k] * b[k * 16 + n + 5];
    }
  }
  return holds(c, expected);
}

constexpr Case kCases[] = {
    {"a product in tf32", kRight, kRight, kRight, "", tf32<Bug::kNone>},
    {"two registers of a fragment swapped", kWrong, kWrong, kWrong, "",
     tf32<Bug::kRegistersSwapped>},
    {"an operand that is not rounded to tf32", kWrong, kWrong, kWrong, "", tf32<Bug::kNotRounded>},
    {"a product in bf16", kRight, kRight, kRight, "", bf16<Bug::kNone>},
    {"the halves of a bf16 pair swapped", kWrong, kWrong, kWrong, "", bf16<Bug::kHalvesSwapped>},
    {"an ldmatrix of the wrong rows", kWrong, kWrong, kWrong, "", bf16<Bug::kWrongRow>},
    {"an ldmatrix that should transpose", kWrong, kWrong, kWrong, "", bf16<Bug::kNotTransposed>},
    {"no barrier before ldmatrix", kRight | kWrong, kRight | kWrong, kError,
     "race on shared memory", bf16<Bug::kNoBarrier>},
    {"rows of ldmatrix not aligned to 16 bytes", kError, kError, kError, "",
     bf16<Bug::kMisalignedRow>},
};

}  // namespace

Theme tensor_cores() { return {"Tensor cores", kCases}; }

}  // namespace planted
