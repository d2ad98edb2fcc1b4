// Kernels whose memory shape is known.
#pragma once

namespace planted {

// 32 threads copy 32 elements; the source's are `stride` apart.
void copy_strided(int stride, const float* x, float* y);
// 32 threads transpose a 32x32 matrix through shared memory with rows of 32 or of 33 elements.
void transpose_rows_of_32(const float* x, float* y);
void transpose_rows_of_33(const float* x, float* y);
// 32 threads copy 128 elements, a float4 each, through shared memory.
void copy_fours(const float* x, float* y);

}  // namespace planted
