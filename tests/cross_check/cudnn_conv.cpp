#include "tests/cross_check/cudnn_conv.h"

#include <algorithm>
#include <array>
#include <string>

namespace gradflip {
namespace {

constexpr float kOne = 1.0F, kZero = 0.0F;
constexpr int kMostAlgorithms = 16;

cudnnMathType_t math_type(Math math, cudnnDataType_t type) {
  if (type != CUDNN_DATA_FLOAT) return CUDNN_TENSOR_OP_MATH;
  return math == Math::kF32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH;  // which allows tf32
}

void describe(const CudnnConvolution& convolution, const Conv2dShape& shape, cudnnMathType_t math) {
  require_success(cudnnSetConvolution2dDescriptor(
                      convolution, static_cast<int>(shape.pad_h), static_cast<int>(shape.pad_w),
                      static_cast<int>(shape.stride_h), static_cast<int>(shape.stride_w),
                      static_cast<int>(shape.dilation_h), static_cast<int>(shape.dilation_w),
                      CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                  "cudnnSetConvolution2dDescriptor");
  require_success(cudnnSetConvolutionMathType(convolution, math), "cudnnSetConvolutionMathType");
}

// Algorithms that go through Winograd's or Fourier's transform, whose rounding a sum's magnitude
// does not bound.
bool transforms(cudnnConvolutionFwdAlgo_t algorithm) {
  return algorithm >= CUDNN_CONVOLUTION_FWD_ALGO_FFT;
}
bool transforms(cudnnConvolutionBwdDataAlgo_t algorithm) {
  return algorithm >= CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT;
}
bool transforms(cudnnConvolutionBwdFilterAlgo_t algorithm) {
  return algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT ||
         algorithm >= CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD;
}

// The first of the ranked algorithms that works here, with what it needs of a workspace; its math
// type goes into the descriptor.
template <typename Perf>
const Perf& first_working(const std::array<Perf, kMostAlgorithms>& ranked, int count, bool any,
                          const char* what, const CudnnConvolution& convolution) {
  for (int i = 0; i < count; ++i) {
    const Perf& one = ranked[static_cast<std::size_t>(i)];
    if (one.status != CUDNN_STATUS_SUCCESS || (!any && transforms(one.algo))) continue;
    require_success(cudnnSetConvolutionMathType(convolution, one.mathType),
                    "cudnnSetConvolutionMathType");
    return one;
  }
  throw CudnnError(CUDNN_STATUS_NOT_SUPPORTED, std::string("cuDNN: no algorithm for ") + what);
}

}  // namespace

CudnnConv::CudnnConv(Cuda ctx, const ConvBlockShape& shape, const CudnnConvOptions& options)
    : handle_(ctx) {
  const Conv2dShape& conv = shape.conv;
  const auto tensor = [&](const CudnnTensor& one, std::int64_t N, std::int64_t C, std::int64_t H,
                          std::int64_t W) {
    describe(one, options.layout, options.type, N, C, H, W);
  };
  tensor(x_, conv.N, conv.C, conv.H, conv.W);
  tensor(y_, conv.N, conv.K, conv.P(), conv.Q());
  tensor(bias_, 1, conv.K, 1, 1);
  tensor(pooled_, conv.N, conv.K, shape.PP(), shape.PQ());
  require_success(cudnnSetFilter4dDescriptor(filter_, options.type, options.layout,
                                             static_cast<int>(conv.K), static_cast<int>(conv.C),
                                             static_cast<int>(conv.R), static_cast<int>(conv.S)),
                  "cudnnSetFilter4dDescriptor");
  const cudnnMathType_t math = math_type(conv.math, options.type);
  for (const CudnnConvolution* one :
       {&convolution_, &fused_convolution_, &data_convolution_, &filter_convolution_}) {
    describe(*one, conv, math);
  }
  require_success(cudnnSetPooling2dDescriptor(
                      pooling_, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN,
                      static_cast<int>(shape.pool_h), static_cast<int>(shape.pool_w), 0, 0,
                      static_cast<int>(shape.pool_h), static_cast<int>(shape.pool_w)),
                  "cudnnSetPooling2dDescriptor");
  require_success(
      cudnnSetActivationDescriptor(relu_, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0),
      "cudnnSetActivationDescriptor");
  choose_algorithms(options.search);
  size_workspace(ctx);
}

void CudnnConv::choose_algorithms(bool search) {
  const auto rank = [&](auto find, auto get, auto& ranked, const char* what, auto... descriptors) {
    int count = 0;
    require_success(search ? find(handle_, descriptors..., kMostAlgorithms, &count, ranked.data())
                           : get(handle_, descriptors..., kMostAlgorithms, &count, ranked.data()),
                    what);
    return count;
  };
  // What the size queries below say can be less, and is nothing where they fail.
  const auto take = [&](const auto& one) {
    workspace_bytes_ = std::max(workspace_bytes_, one.memory);
    return one.algo;
  };
  using Tensor = cudnnTensorDescriptor_t;
  using Filter = cudnnFilterDescriptor_t;
  using Convolution = cudnnConvolutionDescriptor_t;

  std::array<cudnnConvolutionFwdAlgoPerf_t, kMostAlgorithms> forward{};
  int count = rank(cudnnFindConvolutionForwardAlgorithm, cudnnGetConvolutionForwardAlgorithm_v7,
                   forward, "cuDNN: algorithms of forward", Tensor(x_), Filter(filter_),
                   Convolution(convolution_), Tensor(y_));
  forward_algorithm_ = take(first_working(forward, count, search, "forward", convolution_));

  std::array<cudnnConvolutionBwdDataAlgoPerf_t, kMostAlgorithms> data{};
  count =
      rank(cudnnFindConvolutionBackwardDataAlgorithm, cudnnGetConvolutionBackwardDataAlgorithm_v7,
           data, "cuDNN: algorithms of the data gradient", Filter(filter_), Tensor(y_),
           Convolution(data_convolution_), Tensor(x_));
  data_algorithm_ =
      take(first_working(data, count, search, "the data gradient", data_convolution_));

  std::array<cudnnConvolutionBwdFilterAlgoPerf_t, kMostAlgorithms> filter{};
  count = rank(cudnnFindConvolutionBackwardFilterAlgorithm,
               cudnnGetConvolutionBackwardFilterAlgorithm_v7, filter,
               "cuDNN: algorithms of the filter gradient", Tensor(x_), Tensor(y_),
               Convolution(filter_convolution_), Filter(filter_));
  filter_algorithm_ =
      take(first_working(filter, count, search, "the filter gradient", filter_convolution_));
}

void CudnnConv::size_workspace(const Cuda& ctx) {
  const auto grow = [&](cudnnStatus_t status, std::size_t bytes) {
    if (status == CUDNN_STATUS_SUCCESS) workspace_bytes_ = std::max(workspace_bytes_, bytes);
  };
  std::size_t bytes = 0;
  grow(cudnnGetConvolutionForwardWorkspaceSize(handle_, x_, filter_, convolution_, y_,
                                               forward_algorithm_, &bytes),
       bytes);
  grow(cudnnGetConvolutionForwardWorkspaceSize(handle_, x_, filter_, fused_convolution_, y_,
                                               CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                               &bytes),
       bytes);
  grow(cudnnGetConvolutionBackwardDataWorkspaceSize(handle_, filter_, y_, data_convolution_, x_,
                                                    data_algorithm_, &bytes),
       bytes);
  grow(cudnnGetConvolutionBackwardFilterWorkspaceSize(handle_, x_, y_, filter_convolution_, filter_,
                                                      filter_algorithm_, &bytes),
       bytes);
  workspace_ = Buffer(ctx, static_cast<std::int64_t>(workspace_bytes_));
}

void CudnnConv::forward(const void* x, const void* filter, void* y) const {
  require_success(cudnnConvolutionForward(handle_, &kOne, x_, x, filter_, filter, convolution_,
                                          forward_algorithm_, workspace_.data(), workspace_bytes_,
                                          &kZero, y_, y),
                  "cudnnConvolutionForward");
}

void CudnnConv::backward_data(const void* dy, const void* filter, void* dx) const {
  require_success(cudnnConvolutionBackwardData(handle_, &kOne, filter_, filter, y_, dy,
                                               data_convolution_, data_algorithm_,
                                               workspace_.data(), workspace_bytes_, &kZero, x_, dx),
                  "cudnnConvolutionBackwardData");
}

void CudnnConv::backward_filter(const void* x, const void* dy, void* dfilter) const {
  require_success(cudnnConvolutionBackwardFilter(handle_, &kOne, x_, x, y_, dy, filter_convolution_,
                                                 filter_algorithm_, workspace_.data(),
                                                 workspace_bytes_, &kZero, filter_, dfilter),
                  "cudnnConvolutionBackwardFilter");
}

void CudnnConv::backward_bias(const void* dy, void* dbias) const {
  require_success(cudnnConvolutionBackwardBias(handle_, &kOne, y_, dy, &kZero, bias_, dbias),
                  "cudnnConvolutionBackwardBias");
}

void CudnnConv::forward_bias_relu(const void* x, const void* filter, const void* bias,
                                  void* y) const {
  // The fused call exists for one algorithm only; alpha2 = 0: nothing is added but the bias.
  const cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
      handle_, &kOne, x_, x, filter_, filter, fused_convolution_,
      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace_.data(), workspace_bytes_, &kZero,
      y_, y, bias_, bias, relu_, y_, y);
  if (status == CUDNN_STATUS_SUCCESS) return;
  forward(x, filter, y);
  require_success(cudnnAddTensor(handle_, &kOne, bias_, bias, &kOne, y_, y), "cudnnAddTensor");
  require_success(cudnnActivationForward(handle_, relu_, &kOne, y_, y, &kZero, y_, y),
                  "cudnnActivationForward");
}

void CudnnConv::pool_forward(const void* y, void* pooled) const {
  require_success(cudnnPoolingForward(handle_, pooling_, &kOne, y_, y, &kZero, pooled_, pooled),
                  "cudnnPoolingForward");
}

void CudnnConv::pool_relu_backward(const void* pooled, const void* dpooled, const void* y,
                                   void* dy) const {
  require_success(cudnnPoolingBackward(handle_, pooling_, &kOne, pooled_, pooled, pooled_, dpooled,
                                       y_, y, &kZero, y_, dy),
                  "cudnnPoolingBackward");
  require_success(
      cudnnActivationBackward(handle_, relu_, &kOne, y_, y, y_, dy, y_, y, &kZero, y_, dy),
      "cudnnActivationBackward");
}

}  // namespace gradflip
