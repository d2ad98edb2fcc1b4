#include <algorithm>

#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/yardsticks/onednn.h"

namespace gradflip::bench {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
using Tag = memory::format_tag;

memory::desc any(const memory::dims& dims) { return {dims, memory::data_type::f32, Tag::any}; }

struct Dims {
  explicit Dims(const ConvBlockShape& shape)
      : x{shape.conv.N, shape.conv.C, shape.conv.H, shape.conv.W},
        filter{shape.conv.K, shape.conv.C, shape.conv.R, shape.conv.S},
        bias{shape.conv.K},
        y{shape.conv.N, shape.conv.K, shape.conv.P(), shape.conv.Q()},
        pooled{shape.conv.N, shape.conv.K, shape.PP(), shape.PQ()},
        strides{shape.conv.stride_h, shape.conv.stride_w},
        dilation{shape.conv.dilation_h - 1, shape.conv.dilation_w - 1},  // 0 means dense here
        pad{shape.conv.pad_h, shape.conv.pad_w},
        window{shape.pool_h, shape.pool_w} {}

  memory::dims x, filter, bias, y, pooled, strides, dilation, pad, window;
  memory::dims no_pad{0, 0};
};

}  // namespace

OneDnnConv::OneDnnConv(const ConvBlockShape& shape, bool block)
    : shape_(shape),
      block_(block),
      engine_(dnnl::engine::kind::cpu, 0),
      stream_(engine_),
      x_values_(many_random_floats(sizes_of(shape.conv).x, 1)),
      filter_values_(many_random_floats(sizes_of(shape.conv).filter, 2)),
      bias_values_(many_random_floats(shape.conv.K, 3)),
      dy_values_(many_random_floats(block ? pooled_size(shape) : sizes_of(shape.conv).y, 4)),
      forward_(engine_),
      data_(engine_),
      filter_(engine_) {
  build_forward();
  forward();  // backward reads its output
  build_backward();
}

void OneDnnConv::run(const OneDnnChain& chain) {
  chain.run(stream_);
  stream_.wait();
}

void OneDnnConv::build_forward() {
  const Dims dims(shape_);
  dnnl::primitive_attr attributes;
  if (block_) {
    dnnl::post_ops after;
    after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attributes.set_post_ops(after);
  }
  const auto with_bias = [&] {
    return dnnl::convolution_forward::desc(prop_kind::forward_training,
                                           dnnl::algorithm::convolution_direct, any(dims.x),
                                           any(dims.filter), any(dims.bias), any(dims.y),
                                           dims.strides, dims.dilation, dims.pad, dims.pad);
  };
  const auto without_bias = [&] {
    return dnnl::convolution_forward::desc(
        prop_kind::forward_training, dnnl::algorithm::convolution_direct, any(dims.x),
        any(dims.filter), any(dims.y), dims.strides, dims.dilation, dims.pad, dims.pad);
  };
  convolution_ = {block_ ? with_bias() : without_bias(), attributes, engine_};
  x_ = from_ours(x_values_, dims.x, Tag::nhwc, convolution_.src_desc());
  filters_ = from_ours(filter_values_, dims.filter, Tag::hwio, convolution_.weights_desc());
  y_ = memory(convolution_.dst_desc(), engine_);
  OneDnnChain::Arguments arguments = {
      {DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, filters_}, {DNNL_ARG_DST, y_}};
  if (block_) {
    bias_ = from_ours(bias_values_, dims.bias, Tag::x, convolution_.bias_desc());
    arguments[DNNL_ARG_BIAS] = bias_;
  }
  forward_.append(dnnl::convolution_forward(convolution_), std::move(arguments));
  if (!block_) return;

  pooling_ = {{prop_kind::forward_training, dnnl::algorithm::pooling_max, convolution_.dst_desc(),
               any(dims.pooled), dims.window, dims.window, dims.no_pad, dims.no_pad},
              engine_};
  pooled_ = memory(pooling_.dst_desc(), engine_);
  pool_workspace_ = memory(pooling_.workspace_desc(), engine_);
  forward_.append(
      dnnl::pooling_forward(pooling_),
      {{DNNL_ARG_SRC, y_}, {DNNL_ARG_DST, pooled_}, {DNNL_ARG_WORKSPACE, pool_workspace_}});
}

memory OneDnnConv::gradient_of_y(OneDnnChain& chain) {
  const Dims dims(shape_);
  if (!block_) return from_ours(dy_values_, dims.y, Tag::nhwc, convolution_.dst_desc());
  const memory dpooled = from_ours(dy_values_, dims.pooled, Tag::nhwc, pooling_.dst_desc());
  const dnnl::pooling_backward::primitive_desc pool(
      {dnnl::algorithm::pooling_max, convolution_.dst_desc(), pooling_.dst_desc(), dims.window,
       dims.window, dims.no_pad, dims.no_pad},
      engine_, pooling_);
  const memory drelu(convolution_.dst_desc(), engine_);
  chain.append(dnnl::pooling_backward(pool), {{DNNL_ARG_DIFF_DST, dpooled},
                                              {DNNL_ARG_DIFF_SRC, drelu},
                                              {DNNL_ARG_WORKSPACE, pool_workspace_}});
  constexpr auto kRelu = dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
  const dnnl::eltwise_forward::primitive_desc hint(
      {prop_kind::forward_training, kRelu, convolution_.dst_desc(), 0.0F}, engine_);
  const dnnl::eltwise_backward::primitive_desc relu(
      {kRelu, convolution_.dst_desc(), convolution_.dst_desc(), 0.0F}, engine_, hint);
  chain.append(dnnl::eltwise_backward(relu),
               {{DNNL_ARG_DST, y_}, {DNNL_ARG_DIFF_DST, drelu}, {DNNL_ARG_DIFF_SRC, drelu}});
  return drelu;
}

void OneDnnConv::build_backward() {
  const Dims dims(shape_);
  const dnnl::convolution_backward_data::primitive_desc data(
      {dnnl::algorithm::convolution_direct, any(dims.x), any(dims.filter), any(dims.y),
       dims.strides, dims.dilation, dims.pad, dims.pad},
      engine_, convolution_);
  dx_ = memory(data.diff_src_desc(), engine_);
  const memory data_dy = data_.as(gradient_of_y(data_), data.diff_dst_desc());
  data_.append(dnnl::convolution_backward_data(data),
               {{DNNL_ARG_DIFF_DST, data_dy},
                {DNNL_ARG_WEIGHTS, data_.as(filters_, data.weights_desc())},
                {DNNL_ARG_DIFF_SRC, dx_}});

  const dnnl::convolution_backward_weights::primitive_desc filter(
      {dnnl::algorithm::convolution_direct, any(dims.x), any(dims.filter), any(dims.bias),
       any(dims.y), dims.strides, dims.dilation, dims.pad, dims.pad},
      engine_, convolution_);
  dfilter_ = memory(filter.diff_weights_desc(), engine_);
  dbias_ = memory(filter.diff_bias_desc(), engine_);
  const memory filter_dy = filter_.as(gradient_of_y(filter_), filter.diff_dst_desc());
  filter_.append(dnnl::convolution_backward_weights(filter),
                 {{DNNL_ARG_SRC, filter_.as(x_, filter.src_desc())},
                  {DNNL_ARG_DIFF_DST, filter_dy},
                  {DNNL_ARG_DIFF_WEIGHTS, dfilter_},
                  {DNNL_ARG_DIFF_BIAS, dbias_}});
}

memory OneDnnConv::from_ours(const std::vector<float>& values, const memory::dims& dims, Tag tag,
                             const memory::desc& layout) {
  const memory ours({dims, memory::data_type::f32, tag}, engine_);
  std::copy(values.begin(), values.end(), static_cast<float*>(ours.get_data_handle()));
  OneDnnChain chain(engine_);
  const memory theirs = chain.as(ours, layout);
  run(chain);
  return theirs;
}

std::vector<float> OneDnnConv::to_ours(const memory& from, Tag tag) const {
  const memory::desc layout(from.get_desc().dims(), memory::data_type::f32, tag);
  OneDnnChain chain(engine_);
  const memory ours = chain.as(from, layout);
  chain.run(stream_);
  stream_.wait();
  const auto* begin = static_cast<const float*>(ours.get_data_handle());
  return {begin, begin + layout.get_size() / sizeof(float)};
}

std::vector<float> OneDnnConv::result() const { return to_ours(block_ ? pooled_ : y_, Tag::nhwc); }
std::vector<float> OneDnnConv::dx() const { return to_ours(dx_, Tag::nhwc); }
std::vector<float> OneDnnConv::dfilter() const { return to_ours(dfilter_, Tag::hwio); }

}  // namespace gradflip::bench
