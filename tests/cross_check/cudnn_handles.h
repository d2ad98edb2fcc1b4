// cuDNN's handles and descriptors as owners, for the cross-checks and for the yardstick.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels/context.h"

namespace gradflip {

struct CudnnError : std::runtime_error {
  CudnnError(cudnnStatus_t status_, const std::string& text)
      : std::runtime_error(text), status(status_) {}
  cudnnStatus_t status;
};

inline void require_success(cudnnStatus_t status, const std::string& call) {
  if (status != CUDNN_STATUS_SUCCESS) {
    throw CudnnError(status, call + ": " + cudnnGetErrorString(status));
  }
}

// A cuDNN object: Cudnn<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor,
// cudnnDestroyTensorDescriptor>.
template <typename Handle, cudnnStatus_t (*kCreate)(Handle*), cudnnStatus_t (*kDestroy)(Handle)>
class CudnnObject {
 public:
  CudnnObject() { require_success(kCreate(&handle_), "cuDNN: create"); }
  ~CudnnObject() { (void)kDestroy(handle_); }
  CudnnObject(const CudnnObject&) = delete;
  CudnnObject& operator=(const CudnnObject&) = delete;

  operator Handle() const { return handle_; }  // NOLINT: used wherever the C API wants the handle

 private:
  Handle handle_ = nullptr;
};

using CudnnTensor =
    CudnnObject<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using CudnnFilter =
    CudnnObject<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using CudnnConvolution = CudnnObject<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                                     cudnnDestroyConvolutionDescriptor>;
using CudnnPooling = CudnnObject<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor,
                                 cudnnDestroyPoolingDescriptor>;
using CudnnActivation = CudnnObject<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor,
                                    cudnnDestroyActivationDescriptor>;

class CudnnHandle {
 public:
  explicit CudnnHandle(Cuda ctx) {
    require_success(cudnnSetStream(handle_, ctx.stream), "cudnnSetStream");
  }
  operator cudnnHandle_t() const { return handle_; }  // NOLINT

 private:
  CudnnObject<cudnnHandle_t, cudnnCreate, cudnnDestroy> handle_;
};

inline void describe(const CudnnTensor& tensor, cudnnTensorFormat_t layout, cudnnDataType_t type,
                     std::int64_t N, std::int64_t C, std::int64_t H, std::int64_t W) {
  require_success(
      cudnnSetTensor4dDescriptor(tensor, layout, type, static_cast<int>(N), static_cast<int>(C),
                                 static_cast<int>(H), static_cast<int>(W)),
      "cudnnSetTensor4dDescriptor");
}

}  // namespace gradflip
