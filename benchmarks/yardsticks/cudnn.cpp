// cuDNN on the GPU: convolutions, and the calls that one of our fused blocks replaces. Both of its
// layouts; the fastest algorithm by trial. In bf16 its arrays are bf16 too, since it has no bf16
// products of f32 arrays: it moves half of the bytes that ours do.
//
// Which calls a block's gradients replace: the gradient through pool and ReLU is needed once, so it
// is counted with the data gradient, or with the filter gradient of the first layer, which has no
// data gradient.
#include <cuda_bf16.h>

#include <memory>

#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/runner.h"
#include "benchmarks/yardsticks/yardsticks.h"
#include "tests/cross_check/cudnn_conv.h"

namespace gradflip::bench {
namespace {

// An array of cuDNN's: floats, or bf16.
class Operand {
 public:
  // Zeros, to be written.
  Operand(Cuda ctx, bool bf16, std::int64_t size) : buffer_(ctx, size * (bf16 ? 2 : 4)) {}
  // Random.
  Operand(Cuda ctx, bool bf16, std::int64_t size, std::uint64_t seed) : Operand(ctx, bf16, size) {
    const std::vector<float> values = many_random_floats(size, seed);
    std::vector<__nv_bfloat16> narrow;
    if (bf16) {
      for (const float value : values) narrow.push_back(__float2bfloat16(value));
    }
    const void* from = bf16 ? static_cast<const void*>(narrow.data()) : values.data();
    copy_from_host(ctx, buffer_.data(), from, buffer_.bytes());
  }
  void* data() const { return buffer_.data(); }

 private:
  Buffer buffer_;
};

// Results are checked by tests/cross_check/cudnn_cross_check_test.cpp.
struct Block {
  // With gradients, dy is that of a real output, zeros and all.
  Block(Cuda ctx, const ConvBlockShape& shape, cudnnTensorFormat_t layout, bool bf16,
        bool gradients)
      : cudnn(ctx, shape, {layout, bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT, /*search=*/true}),
        x(ctx, bf16, sizes_of(shape.conv).x, 1),
        filter(ctx, bf16, sizes_of(shape.conv).filter, 2),
        bias(ctx, bf16, shape.conv.K, 3),
        dpooled(ctx, bf16, pooled_size(shape), 4),
        y(ctx, bf16, sizes_of(shape.conv).y),
        dy(ctx, bf16, sizes_of(shape.conv).y),
        pooled(ctx, bf16, pooled_size(shape)),
        dx(ctx, bf16, sizes_of(shape.conv).x),
        dfilter(ctx, bf16, sizes_of(shape.conv).filter),
        dbias(ctx, bf16, shape.conv.K) {
    forward();
    if (gradients) through_pool();
  }

  void forward() const {
    cudnn.forward_bias_relu(x.data(), filter.data(), bias.data(), y.data());
    cudnn.pool_forward(y.data(), pooled.data());
  }
  void through_pool() const {
    cudnn.pool_relu_backward(pooled.data(), dpooled.data(), y.data(), dy.data());
  }
  void data_gradient() const { cudnn.backward_data(dy.data(), filter.data(), dx.data()); }
  void filter_gradient() const { cudnn.backward_filter(x.data(), dy.data(), dfilter.data()); }
  void bias_gradient() const { cudnn.backward_bias(dy.data(), dbias.data()); }
  void convolution() const { cudnn.forward(x.data(), filter.data(), y.data()); }

  CudnnConv cudnn;
  Operand x, filter, bias, dpooled, y, dy, pooled, dx, dfilter, dbias;
};

// Where cuDNN cannot do something it has no row; its other errors are errors.
template <typename Function>
auto or_not_supported(const Function& function) {
  try {
    return function();
  } catch (const CudnnError& error) {
    if (error.status != CUDNN_STATUS_NOT_SUPPORTED && error.status != CUDNN_STATUS_BAD_PARAM) throw;
    throw NotSupported(error.what());
  }
}

struct Variant {
  const char* name;
  cudnnTensorFormat_t layout;
};
constexpr Variant kVariants[] = {{"cuDNN-nchw", CUDNN_TENSOR_NCHW},
                                 {"cuDNN-nhwc", CUDNN_TENSOR_NHWC}};

struct Calls {
  std::string op;
  Work (*work)(const ConvBlockShape& shape);
  void (*run)(const Block&);
};

Work plain_work(const ConvBlockShape& shape) { return conv2d_work(shape.conv); }

std::vector<Calls> calls_of(const ConvLayer& layer) {
  std::vector<Calls> calls = {
      {"conv_block_forward", conv_block_forward_work, [](const Block& block) { block.forward(); }},
      {"conv2d_forward", plain_work, [](const Block& block) { block.convolution(); }},
      {"conv2d_backward_data", plain_work, [](const Block& block) { block.data_gradient(); }},
      {"conv2d_backward_filter", plain_work, [](const Block& block) { block.filter_gradient(); }}};
  if (layer.first) {
    calls.push_back(
        {"conv_block_backward_filter", conv_block_backward_work, [](const Block& block) {
           block.through_pool();
           block.filter_gradient();
           block.bias_gradient();
         }});
  } else {
    calls.push_back({"conv_block_backward_data", conv_block_backward_work, [](const Block& block) {
                       block.through_pool();
                       block.data_gradient();
                     }});
    calls.push_back(
        {"conv_block_backward_filter", conv_block_backward_work, [](const Block& block) {
           block.filter_gradient();
           block.bias_gradient();
         }});
  }
  return calls;
}

void add_calls(Suite& suite, Cuda ctx, const ConvLayer& layer, const Calls& calls) {
  const bool gradients = calls.op.find("backward") != std::string::npos;
  for (const std::int64_t batch : suite.batches) {
    for (const Math math : suite.maths) {
      const ConvBlockShape shape = with_batch(layer.shape, batch, math);
      for (const Variant& variant : kVariants) {
        suite.add({calls.op, layer.name, batch, math, variant.name, calls.work(shape),
                   [=] {
                     return or_not_supported([&]() -> Operation {
                       const auto block = std::make_shared<Block>(ctx, shape, variant.layout,
                                                                  math == Math::kBf16, gradients);
                       return [=] { or_not_supported([&] { calls.run(*block); }); };
                     });
                   },
                   nullptr});
      }
    }
  }
}

}  // namespace

void add_cudnn_cases(Suite& suite) {
  const Cuda* ctx = std::get_if<Cuda>(&suite.context);
  if (ctx == nullptr) return;
  for (const ConvLayer& layer : std::vector(suite.shapes.conv_layers)) {
    for (const Calls& calls : calls_of(layer)) add_calls(suite, *ctx, layer, calls);
  }
}

}  // namespace gradflip::bench
