// CUDA's vector types: the same names, members, sizes and alignments, without the toolkit.
#pragma once

#include <cstddef>

namespace simt {

// A vector of 2 or 4 elements is aligned as a whole, to at most 16 bytes; others as one element.
template <typename T>
constexpr std::size_t vector_alignment(std::size_t elements) {
  return elements * sizeof(T) < 16 ? elements * sizeof(T) : 16;
}

template <typename T>
struct Vector1 {
  T x;
};

template <typename T>
struct alignas(vector_alignment<T>(2)) Vector2 {
  T x, y;
};

template <typename T>
struct Vector3 {
  T x, y, z;
};

template <typename T>
struct alignas(vector_alignment<T>(4)) Vector4 {
  T x, y, z, w;
};

}  // namespace simt

using char1 = simt::Vector1<signed char>;
using char2 = simt::Vector2<signed char>;
using char3 = simt::Vector3<signed char>;
using char4 = simt::Vector4<signed char>;

using uchar1 = simt::Vector1<unsigned char>;
using uchar2 = simt::Vector2<unsigned char>;
using uchar3 = simt::Vector3<unsigned char>;
using uchar4 = simt::Vector4<unsigned char>;

using short1 = simt::Vector1<short>;
using short2 = simt::Vector2<short>;
using short3 = simt::Vector3<short>;
using short4 = simt::Vector4<short>;

using ushort1 = simt::Vector1<unsigned short>;
using ushort2 = simt::Vector2<unsigned short>;
using ushort3 = simt::Vector3<unsigned short>;
using ushort4 = simt::Vector4<unsigned short>;

using int1 = simt::Vector1<int>;
using int2 = simt::Vector2<int>;
using int3 = simt::Vector3<int>;
using int4 = simt::Vector4<int>;

using uint1 = simt::Vector1<unsigned>;
using uint2 = simt::Vector2<unsigned>;
using uint3 = simt::Vector3<unsigned>;
using uint4 = simt::Vector4<unsigned>;

using longlong1 = simt::Vector1<long long>;
using longlong2 = simt::Vector2<long long>;
using longlong3 = simt::Vector3<long long>;
using longlong4 = simt::Vector4<long long>;

using ulonglong1 = simt::Vector1<unsigned long long>;
using ulonglong2 = simt::Vector2<unsigned long long>;
using ulonglong3 = simt::Vector3<unsigned long long>;
using ulonglong4 = simt::Vector4<unsigned long long>;

using float1 = simt::Vector1<float>;
using float2 = simt::Vector2<float>;
using float3 = simt::Vector3<float>;
using float4 = simt::Vector4<float>;

using double1 = simt::Vector1<double>;
using double2 = simt::Vector2<double>;
using double3 = simt::Vector3<double>;
using double4 = simt::Vector4<double>;

// Extents of a grid or a block.
struct dim3 {
  unsigned x = 1, y = 1, z = 1;

  constexpr dim3() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): launches pass plain numbers, as in CUDA
  constexpr dim3(unsigned x_extent, unsigned y_extent = 1, unsigned z_extent = 1)
      : x(x_extent), y(y_extent), z(z_extent) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr dim3(uint3 extents) : x(extents.x), y(extents.y), z(extents.z) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr operator uint3() const { return {x, y, z}; }
};
