// cuDNN's convolution and what surrounds it in a block, on device pointers in cuDNN's own layouts:
// x, y NCHW with filters KCRS, or x, y NHWC with filters KRSC.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>

#include "kernels/conv_block.h"
#include "runtime/memory.h"
#include "tests/cross_check/cudnn_handles.h"

namespace gradflip {

struct CudnnConvOptions {
  cudnnTensorFormat_t layout = CUDNN_TENSOR_NCHW;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  // Time all algorithms and take the fastest; else the heuristic's first that sums products
  // directly.
  bool search = false;
};

// Throws CudnnError; its status is CUDNN_STATUS_NOT_SUPPORTED where cuDNN has no algorithm.
class CudnnConv {
 public:
  CudnnConv(Cuda ctx, const ConvBlockShape& shape, const CudnnConvOptions& options);

  void forward(const void* x, const void* filter, void* y) const;
  void backward_data(const void* dy, const void* filter, void* dx) const;
  void backward_filter(const void* x, const void* dy, void* dfilter) const;
  void backward_bias(const void* dy, void* dbias) const;

  // y = relu(conv(x) + bias), in one call where cuDNN has it, else in three.
  void forward_bias_relu(const void* x, const void* filter, const void* bias, void* y) const;
  void pool_forward(const void* y, void* pooled) const;
  // The gradient through max pool and ReLU; dy may not be y.
  void pool_relu_backward(const void* pooled, const void* dpooled, const void* y, void* dy) const;

 private:
  void choose_algorithms(bool search);
  void size_workspace(const Cuda& ctx);

  CudnnHandle handle_;
  CudnnTensor x_, y_, bias_, pooled_;
  CudnnFilter filter_;
  CudnnConvolution convolution_, fused_convolution_, data_convolution_, filter_convolution_;
  CudnnPooling pooling_;
  CudnnActivation relu_;
  cudnnConvolutionFwdAlgo_t forward_algorithm_{};
  cudnnConvolutionBwdDataAlgo_t data_algorithm_{};
  cudnnConvolutionBwdFilterAlgo_t filter_algorithm_{};
  Buffer workspace_;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace gradflip
