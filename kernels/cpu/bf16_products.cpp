#include "kernels/cpu/bf16_products.h"

namespace gradflip {

bool has_avx512_bf16_products() {
  static const bool available =
      __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return available;
}

}  // namespace gradflip
