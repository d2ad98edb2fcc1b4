#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cuda/mma.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using namespace gradflip;

class TensorCoreTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(TensorCoreTest);

// Small integers: exact in bf16 and tf32, and so are their sums in f32.
std::vector<float> integers(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 33) - 16);
  return values;
}

// c += a b, row-major.
std::vector<float> product(int M, int N, int K, const std::vector<float>& a,
                           const std::vector<float>& b, std::vector<float> c) {
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      for (int k = 0; k < K; ++k) c[m * N + n] += a[m * K + k] * b[k * N + n];
    }
  }
  return c;
}

__device__ void load_accumulators(const float* c, float (&d)[4]) {
  const unsigned g = threadIdx.x / 4;
  const unsigned t = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i) d[i] = c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2];
}

__device__ void store_accumulators(const float (&d)[4], float* c) {
  const unsigned g = threadIdx.x / 4;
  const unsigned t = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = d[i];
}

// The fragments as the table in kernels/cuda/mma.h has them, element by element.
__global__ void tf32_kernel(const float* a, const float* b, float* c) {
  const unsigned g = threadIdx.x / 4;
  const unsigned t = threadIdx.x % 4;
  const std::uint32_t fragment_a[4] = {to_tf32(a[g * 8 + t]), to_tf32(a[(g + 8) * 8 + t]),
                                       to_tf32(a[g * 8 + t + 4]), to_tf32(a[(g + 8) * 8 + t + 4])};
  const std::uint32_t fragment_b[2] = {to_tf32(b[t * 8 + g]), to_tf32(b[(t + 4) * 8 + g])};
  float d[4];
  load_accumulators(c, d);
  mma_m16n8k8_tf32(d, fragment_a, fragment_b);
  store_accumulators(d, c);
}

TEST_P(TensorCoreTest, Tf32MultipliesAndAdds) {
  const std::vector<float> a = integers(16 * 8, 1);
  const std::vector<float> b = integers(8 * 8, 2);
  const std::vector<float> c = integers(16 * 8, 3);
  DeviceVector<float> device_a(a);
  DeviceVector<float> device_b(b);
  DeviceVector<float> device_c(c);
  launch(tf32_kernel, 1, 32, 0, nullptr, device_a.data(), device_b.data(), device_c.data());
  EXPECT_EQ(device_c.read(), product(16, 8, 8, a, b, c));
}

__global__ void bf16_kernel(const float* a, const float* b, float* c) {
  const unsigned g = threadIdx.x / 4;
  const unsigned t = threadIdx.x % 4;
  const auto pair_a = [&](unsigned row, unsigned column) {
    return pack_bf16(a[row * 16 + column], a[row * 16 + column + 1]);
  };
  const auto pair_b = [&](unsigned row, unsigned column) {
    return pack_bf16(b[row * 8 + column], b[(row + 1) * 8 + column]);
  };
  const std::uint32_t fragment_a[4] = {pair_a(g, 2 * t), pair_a(g + 8, 2 * t), pair_a(g, 2 * t + 8),
                                       pair_a(g + 8, 2 * t + 8)};
  const std::uint32_t fragment_b[2] = {pair_b(2 * t, g), pair_b(2 * t + 8, g)};
  float d[4];
  load_accumulators(c, d);
  mma_m16n8k16_bf16(d, fragment_a, fragment_b);
  store_accumulators(d, c);
}

TEST_P(TensorCoreTest, Bf16MultipliesAndAdds) {
  const std::vector<float> a = integers(16 * 16, 4);
  const std::vector<float> b = integers(16 * 8, 5);
  const std::vector<float> c = integers(16 * 8, 6);
  DeviceVector<float> device_a(a);
  DeviceVector<float> device_b(b);
  DeviceVector<float> device_c(c);
  launch(bf16_kernel, 1, 32, 0, nullptr, device_a.data(), device_b.data(), device_c.data());
  EXPECT_EQ(device_c.read(), product(16, 8, 16, a, b, c));
}

__global__ void low_bits_kernel(float x, float* y) {
  const auto bits = static_cast<std::uint32_t>(__float_as_int(x));
  const std::uint32_t a[4] = {bits, bits, bits, bits};
  const std::uint32_t b[2] = {to_tf32(1), to_tf32(1)};
  float d[4] = {};
  mma_m16n8k8_tf32(d, a, b);
  y[threadIdx.x] = d[0] / 8;
}

TEST_P(TensorCoreTest, Tf32DropsTheLowBitsOfWhatWasNotRounded) {
  const float x = 1.0F + 0x1.ffp-11F;  // rounds up, is cut down
  DeviceVector<float> y(32);
  launch(low_bits_kernel, 1, 32, 0, nullptr, x, y.data());
  EXPECT_EQ(y.read(), std::vector<float>(32, 1.0F));
}

template <bool kTransposed>
__global__ void ldmatrix_kernel(const std::uint16_t* x, std::uint32_t* registers) {
  GRADFLIP_SHARED(uint4, rows, [32]);
  auto* elements = reinterpret_cast<std::uint16_t*>(rows);
  for (unsigned i = threadIdx.x; i < 256; i += 32) elements[i] = x[i];
  __syncwarp();
  std::uint32_t matrices[4];
  ldmatrix_x4<kTransposed>(matrices, &rows[threadIdx.x]);
  for (unsigned j = 0; j < 4; ++j) registers[4 * threadIdx.x + j] = matrices[j];
}

TEST_P(TensorCoreTest, LdmatrixGivesEachLaneItsPair) {
  std::vector<std::uint16_t> x(256);  // four matrices of 8 rows of 8
  for (unsigned i = 0; i < 256; ++i) x[i] = static_cast<std::uint16_t>(1000 + i);
  for (const bool transposed : {false, true}) {
    DeviceVector<std::uint16_t> device_x(x);
    DeviceVector<std::uint32_t> registers(128);
    launch(transposed ? ldmatrix_kernel<true> : ldmatrix_kernel<false>, 1, 32, 0, nullptr,
           device_x.data(), registers.data());
    const std::vector<std::uint32_t> got = registers.read();
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned j = 0; j < 4; ++j) {
        const unsigned row = lane / 4;
        const unsigned column = 2 * (lane % 4);
        const auto element = [&](unsigned r, unsigned c) {
          return std::uint32_t{transposed ? x[64 * j + 8 * c + r] : x[64 * j + 8 * r + c]};
        };
        EXPECT_EQ(got[4 * lane + j], element(row, column) | element(row, column + 1) << 16);
      }
    }
  }
}

__global__ void wrong_row_kernel(bool misaligned, float4* global) {
  GRADFLIP_SHARED(float4, rows, [33]);
  rows[threadIdx.x] = {};
  std::uint32_t matrices[4];
  const void* row = misaligned ? reinterpret_cast<const char*>(&rows[threadIdx.x]) + 8
                               : reinterpret_cast<const char*>(global);
  ldmatrix_x4(matrices, row);
}

TEST_P(TensorCoreTest, LdmatrixChecksItsRows) {
  DeviceVector<float4> global(32);
  const auto error = [&](bool misaligned) {
    return error_of(
        [&] { launch(wrong_row_kernel, 1, 32, 0, nullptr, misaligned, global.data()); });
  };
  EXPECT_NE(error(true).find("ldmatrix: a row is not aligned to 16 bytes at "), std::string::npos);
  EXPECT_NE(error(false).find("ldmatrix: a row is not in shared memory at "), std::string::npos);
}

TEST(RoundingTest, Tf32RoundsTiesAway) {
  const auto rounded = [](float x) { return std::bit_cast<float>(to_tf32(x)); };
  EXPECT_EQ(rounded(1.0F), 1.0F);
  EXPECT_EQ(rounded(1.0F + 0x1p-11F), 1.0F + 0x1p-10F);
  EXPECT_EQ(rounded(1.0F + 0x1.ffcp-12F), 1.0F);
  EXPECT_EQ(rounded(-1.0F - 0x1p-11F), -1.0F - 0x1p-10F);
  EXPECT_EQ(rounded(std::numeric_limits<float>::infinity()),
            std::numeric_limits<float>::infinity());
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(std::nanf(""))));
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0x7f800001U))));
}

TEST(RoundingTest, Bf16RoundsTiesToEven) {
  const auto rounded = [](float x) { return std::bit_cast<float>(pack_bf16(0, x)); };
  EXPECT_EQ(rounded(1.0F), 1.0F);
  EXPECT_EQ(rounded(1.0F + 0x1p-8F), 1.0F);
  EXPECT_EQ(rounded(1.0F + 0x1.8p-7F), 1.0F + 0x1p-6F);
  EXPECT_EQ(rounded(1.0F + 0x1.02p-8F), 1.0F + 0x1p-7F);
  EXPECT_EQ(rounded(-std::numeric_limits<float>::infinity()),
            -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(std::nanf(""))));
  EXPECT_EQ(pack_bf16(1.0F, 2.0F), 0x40003f80U);
}

}  // namespace
}  // namespace simt
