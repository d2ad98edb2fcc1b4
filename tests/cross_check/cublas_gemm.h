// cuBLAS as a second opinion on kernels/gemm.h: the same product, row-major, on device pointers.
#pragma once

#include <cublas_v2.h>

#include <cstdint>
#include <string>

#include "kernels/cuda/check.h"
#include "kernels/gemm.h"
#include "runtime/memory.h"

namespace gradflip {

struct CublasError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require_success(cublasStatus_t status, const std::string& call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw CublasError(call + ": " + cublasGetStatusString(status));
  }
}

// A handle on one stream, with memory of its own, so that its calls can be recorded in a graph.
class Cublas {
 public:
  explicit Cublas(Cuda ctx) : workspace_(ctx, kWorkspaceBytes) {
    require_success(cublasCreate(&handle_), "cublasCreate");
    require_success(cublasSetStream(handle_, ctx.stream), "cublasSetStream");
    require_success(cublasSetWorkspace(handle_, workspace_.data(), kWorkspaceBytes),
                    "cublasSetWorkspace");
  }
  ~Cublas() { (void)cublasDestroy(handle_); }
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  // C (M,N) = alpha * op(A) op(B) + beta * C, laid out as gemm() has them; `type` is that of A and
  // B.
  void gemm(const GemmShape& shape, float alpha, const void* a, const void* b, float beta, float* c,
            cudaDataType_t type = CUDA_R_32F) const {
    // cuBLAS is column-major: what it sees as C is our C^T = op(B)^T op(A)^T.
    const auto M = static_cast<int>(shape.M), N = static_cast<int>(shape.N);
    const auto K = static_cast<int>(shape.K);
    require_success(
        cublasGemmEx(handle_, shape.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                     shape.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, N, M, K, &alpha, b, type,
                     shape.transpose_b ? K : N, a, type, shape.transpose_a ? M : K, &beta, c,
                     CUDA_R_32F, N, compute_type(shape.math, type), CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx");
  }

 private:
  // What cuBLAS recommends for Hopper; older GPUs need less.
  static constexpr std::int64_t kWorkspaceBytes = std::int64_t{32} << 20U;

  static cublasComputeType_t compute_type(Math math, cudaDataType_t type) {
    if (type != CUDA_R_32F) return CUBLAS_COMPUTE_32F;
    switch (math) {
      case Math::kTf32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
      case Math::kBf16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
      case Math::kF32:
      case Math::kTf32x3:  // the library's f32 is its nearest
        break;
    }
    return CUBLAS_COMPUTE_32F;
  }

  Buffer workspace_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace gradflip
