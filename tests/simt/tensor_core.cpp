// mma.sync and ldmatrix: the last lane to arrive computes for the warp. Products are summed in
// f32, k ascending; hardware adds them in another order and rounds otherwise, so results are to be
// compared with a tolerance.
#include <bit>
#include <cstring>

#include "tests/simt/multiprocessor.h"
#include "tests/simt/warp_collective.h"

namespace simt {
namespace {

constexpr unsigned kAllLanes = 0xffffffffU;

struct Fragments {
  std::uint32_t a[4];
  std::uint32_t b[2];
  float d[4];
};
struct Accumulators {
  float d[4];
};

// The tensor cores ignore the 13 low bits of a tf32 operand.
__attribute__((no_sanitize("address", "undefined"))) float tf32(std::uint32_t bits) {
  return std::bit_cast<float>(bits & ~0x1fffU);
}
__attribute__((no_sanitize("address", "undefined"))) float bf16(std::uint32_t pair, unsigned half) {
  return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xffff0000U);
}

// d += a b, d gathered from the lanes and given back to them. Sanitizers watch neither this nor its
// callers: products of registers, in arrays of fixed sizes, would be a fifth of what tests take.
template <int K>
__attribute__((no_sanitize("address", "undefined"))) void multiply(Meeting& meeting,
                                                                   const float (&a)[16][K],
                                                                   const float (&b)[K][8]) {
  float d[16][8];
  for (unsigned l = 0; l < 32; ++l) {
    const auto fragments = meeting.from<Fragments>(l);
    for (unsigned i = 0; i < 4; ++i) d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2] = fragments.d[i];
  }
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < K; ++k) {
      for (int n = 0; n < 8; ++n) d[m][n] += a[m][k] * b[k][n];
    }
  }
  for (unsigned l = 0; l < 32; ++l) {
    Accumulators result;
    for (unsigned i = 0; i < 4; ++i) result.d[i] = d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
    meeting.give(l, result);
  }
}

__attribute__((no_sanitize("address", "undefined"))) void combine_tf32(Meeting& meeting) {
  float a[16][8];
  float b[8][8];
  for (unsigned l = 0; l < 32; ++l) {
    const auto fragments = meeting.from<Fragments>(l);
    const unsigned g = l / 4;
    const unsigned t = l % 4;
    for (unsigned i = 0; i < 4; ++i) a[g + 8 * (i % 2)][t + 4 * (i / 2)] = tf32(fragments.a[i]);
    for (unsigned i = 0; i < 2; ++i) b[t + 4 * i][g] = tf32(fragments.b[i]);
  }
  multiply(meeting, a, b);
}

__attribute__((no_sanitize("address", "undefined"))) void combine_bf16(Meeting& meeting) {
  float a[16][16];
  float b[16][8];
  for (unsigned l = 0; l < 32; ++l) {
    const auto fragments = meeting.from<Fragments>(l);
    const unsigned g = l / 4;
    const unsigned t = l % 4;
    for (unsigned half = 0; half < 2; ++half) {
      for (unsigned i = 0; i < 4; ++i) {
        a[g + 8 * (i % 2)][2 * t + half + 8 * (i / 2)] = bf16(fragments.a[i], half);
      }
      for (unsigned i = 0; i < 2; ++i) b[2 * t + half + 8 * i][g] = bf16(fragments.b[i], half);
    }
  }
  multiply(meeting, a, b);
}

void multiply_fragments(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                        void (*combine)(Meeting&), Site site) {
  const Fragments fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {d[0], d[1], d[2], d[3]}};
  const auto result = meet<Accumulators>({WarpOp::kMma, kAllLanes, combine, site}, fragments);
  std::memcpy(d, result.d, sizeof d);
}

struct Registers {
  std::uint32_t of[4];
};

// One 8x8 matrix of 16-bit elements, row r from the lane that named it.
using Matrix = std::uint16_t[8][8];

void read_matrix(const Meeting& meeting, unsigned j, Matrix& matrix) {
  for (unsigned r = 0; r < 8; ++r) {
    std::memcpy(matrix[r], meeting.from<const void*>(8 * j + r), sizeof matrix[r]);
  }
}

template <bool kTransposed>
void combine_ldmatrix(Meeting& meeting) {
  Matrix matrices[4];
  for (unsigned j = 0; j < 4; ++j) read_matrix(meeting, j, matrices[j]);
  for (unsigned l = 0; l < 32; ++l) {
    Registers registers;
    const unsigned row = l / 4;
    const unsigned column = 2 * (l % 4);
    for (unsigned j = 0; j < 4; ++j) {
      const Matrix& m = matrices[j];
      const std::uint32_t low = kTransposed ? m[column][row] : m[row][column];
      const std::uint32_t high = kTransposed ? m[column + 1][row] : m[row][column + 1];
      registers.of[j] = low | high << 16;
    }
    meeting.give(l, registers);
  }
}

}  // namespace

void warp_mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                   Site site) {
  multiply_fragments(d, a, b, combine_tf32, site);
}

void warp_mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                   Site site) {
  multiply_fragments(d, a, b, combine_bf16, site);
}

void warp_ldmatrix(std::uint32_t (&matrices)[4], const void* row, bool transposed, Site site) {
  Multiprocessor& sm = multiprocessor();
  constexpr std::size_t kRowBytes = sizeof(std::uint16_t[8]);
  if (reinterpret_cast<std::uintptr_t>(row) % kRowBytes != 0) {
    fail("ldmatrix: a row is not aligned to 16 bytes", site);
  }
  if (!sm.shared_memory().contains(row, kRowBytes)) {
    fail("ldmatrix: a row is not in shared memory", site);
  }
  if (Observer* o = sm.checker()) {
    o->access(row, kRowBytes, /*write=*/false, /*atomic=*/false, __builtin_return_address(0));
  }
  const auto combine = transposed ? combine_ldmatrix<true> : combine_ldmatrix<false>;
  const auto result = meet<Registers>({WarpOp::kLdmatrix, kAllLanes, combine, site}, row);
  std::memcpy(matrices, result.of, sizeof matrices);
}

}  // namespace simt
