#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(VectorTypesTest, SizesAndAlignmentsAreCudas) {
  static_assert(sizeof(float2) == 8 && alignof(float2) == 8);
  static_assert(sizeof(float3) == 12 && alignof(float3) == 4);
  static_assert(sizeof(float4) == 16 && alignof(float4) == 16);
  static_assert(sizeof(double2) == 16 && alignof(double2) == 16);
  static_assert(sizeof(double4) == 32 && alignof(double4) == 16);
  static_assert(sizeof(uchar4) == 4 && alignof(uchar4) == 4);
  static_assert(sizeof(ushort2) == 4 && alignof(ushort2) == 4);
  static_assert(sizeof(uint3) == 12 && alignof(uint3) == 4);
  constexpr float4 v = make_float4(1, 2, 3, 4);
  static_assert(v.x == 1 && v.y == 2 && v.z == 3 && v.w == 4);
  const dim3 d = 7;
  EXPECT_EQ(d.x * d.y * d.z, 7U);
}

TEST(MathTest, MinimumAndMaximumIgnoreNan) {
  EXPECT_EQ(min(3, -4), -4);
  EXPECT_EQ(max(3U, 4000000000U), 4000000000U);
  EXPECT_EQ(max(std::int64_t{1} << 40, std::int64_t{2}), std::int64_t{1} << 40);
  EXPECT_EQ(max(kNan, 1.0F), 1.0F);
  EXPECT_EQ(min(1.0F, kNan), 1.0F);
}

TEST(MathTest, ConversionsSaturate) {
  EXPECT_EQ(__float2int_rz(-1.9F), -1);
  EXPECT_EQ(__float2int_rn(2.5F), 2);
  EXPECT_EQ(__float2int_rd(-1.1F), -2);
  EXPECT_EQ(__float2int_ru(1.1F), 2);
  EXPECT_EQ(__float2int_rz(3e9F), INT32_MAX);
  EXPECT_EQ(__float2int_rz(-3e9F), INT32_MIN);
  EXPECT_EQ(__float2int_rz(kNan), 0);
  EXPECT_EQ(__float2uint_rz(-1.0F), 0U);
  EXPECT_EQ(__float2uint_rz(3e9F), 3000000000U);
  EXPECT_EQ(__float2uint_rz(5e9F), UINT32_MAX);
  EXPECT_EQ(__saturatef(kNan), 0.0F);
  EXPECT_EQ(__saturatef(1.5F), 1.0F);
}

TEST(MathTest, IntrinsicsAreExact) {
  EXPECT_EQ(rsqrtf(4.0F), 0.5F);
  EXPECT_EQ(__expf(1.5F), std::exp(1.5F));
  EXPECT_EQ(__fmaf_rn(3.0F, 0x1.000002p0F, -3.0F), 3 * 0x1p-23F);
  EXPECT_EQ(__frcp_rn(8.0F), 0.125F);
}

TEST(BitsTest, CountsAndPermutations) {
  EXPECT_EQ(__popc(0xf0f0U), 8);
  EXPECT_EQ(__popcll(~0ULL), 64);
  EXPECT_EQ(__clz(1), 31);
  EXPECT_EQ(__clz(0), 32);
  EXPECT_EQ(__clzll(1), 63);
  EXPECT_EQ(__ffs(0), 0);
  EXPECT_EQ(__ffs(8), 4);
  EXPECT_EQ(__brev(1U), 0x80000000U);
  EXPECT_EQ(__umulhi(0xffffffffU, 0xffffffffU), 0xfffffffeU);
  EXPECT_EQ(__mulhi(-1, 2), -1);
  EXPECT_EQ(__umul64hi(~0ULL, 2), 1U);
  EXPECT_EQ(__funnelshift_l(0x80000001U, 2U, 1), 5U);
  EXPECT_EQ(__funnelshift_r(0x80000001U, 3U, 1), 0xc0000000U);
  EXPECT_EQ(__byte_perm(0x33221100U, 0x77665544U, 0x7610U), 0x77661100U);
  EXPECT_EQ(__byte_perm(0x00008000U, 0, 0x0009U), 0x000000ffU);
  EXPECT_EQ(__float_as_uint(1.0F), 0x3f800000U);
  EXPECT_EQ(__uint_as_float(0x40000000U), 2.0F);
}

}  // namespace
