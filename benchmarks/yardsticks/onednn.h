// oneDNN's primitives for a convolution block, in the layouts that it prefers. Arrays come and go
// in ours: x NHWC, filter RSCK, y NPQK.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/conv_block.h"

namespace gradflip::bench {

// Primitives in order, with their arguments.
class OneDnnChain {
 public:
  using Arguments = std::unordered_map<int, dnnl::memory>;

  explicit OneDnnChain(const dnnl::engine& engine) : engine_(engine) {}

  void append(const dnnl::primitive& primitive, Arguments arguments) {
    links_.emplace_back(primitive, std::move(arguments));
  }
  // `from` in another layout; appends a reorder if it has to.
  dnnl::memory as(const dnnl::memory& from, const dnnl::memory::desc& layout) {
    if (from.get_desc() == layout) return from;
    const dnnl::memory to(layout, engine_);
    append(dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    return to;
  }
  void run(dnnl::stream& stream) const {
    for (const auto& [primitive, arguments] : links_) primitive.execute(stream, arguments);
  }

 private:
  dnnl::engine engine_;
  std::vector<std::pair<dnnl::primitive, Arguments>> links_;
};

// The operations of one shape; block: bias, ReLU and max pool too, else the convolution alone.
class OneDnnConv {
 public:
  OneDnnConv(const ConvBlockShape& shape, bool block);

  // The gradients of a block go through its pool and ReLU, each.
  void forward() { run(forward_); }
  void backward_data() { run(data_); }
  void backward_filter() { run(filter_); }

  // Results in our layouts; forward's are pooled values where there is a block.
  std::vector<float> result() const;
  std::vector<float> dx() const;
  std::vector<float> dfilter() const;

  // The inputs, in our layouts. dy is the gradient of result().
  const std::vector<float>& x() const { return x_values_; }
  const std::vector<float>& filter() const { return filter_values_; }
  const std::vector<float>& bias() const { return bias_values_; }
  const std::vector<float>& dy() const { return dy_values_; }

 private:
  void build_forward();
  void build_backward();
  // The gradient of the convolution's output in its own layout, through pool and ReLU if there is a
  // block, appended to `chain`.
  dnnl::memory gradient_of_y(OneDnnChain& chain);
  dnnl::memory from_ours(const std::vector<float>& values, const dnnl::memory::dims& dims,
                         dnnl::memory::format_tag tag, const dnnl::memory::desc& layout);
  std::vector<float> to_ours(const dnnl::memory& memory, dnnl::memory::format_tag tag) const;
  void run(const OneDnnChain& chain);

  ConvBlockShape shape_;
  bool block_;
  dnnl::engine engine_;
  mutable dnnl::stream stream_;
  std::vector<float> x_values_, filter_values_, bias_values_, dy_values_;
  OneDnnChain forward_, data_, filter_;
  dnnl::convolution_forward::primitive_desc convolution_;
  dnnl::pooling_forward::primitive_desc pooling_;
  dnnl::memory x_, filters_, bias_, y_, pooled_, pool_workspace_, dy_, dx_, dfilter_, dbias_;
};

}  // namespace gradflip::bench
