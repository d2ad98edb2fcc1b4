// oneDNN on one thread, as our kernels: convolutions, and the primitives that one of our fused
// blocks replaces, in the layouts that it prefers; copying into those layouts is not counted.
#include "benchmarks/yardsticks/onednn.h"

#include <omp.h>

#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/conv2d_layers.h"
#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/check.h"
#include "benchmarks/yardsticks/yardsticks.h"
#include "tests/support/reference/conv2d.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip::bench {
namespace {

using reference::widen;

// The gradients of a block go through its pool and ReLU each.
struct Call {
  std::string op;
  bool block;
  Work (*work)(const ConvBlockShape& shape);
  void (OneDnnConv::*run)();
  std::string (*check)(OneDnnConv& conv, const ConvBlockShape& shape);
};

std::string check_forward(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.forward();
  return differences("y", conv.result(),
                     reference::conv2d_forward(shape.conv, widen(conv.x()), widen(conv.filter())),
                     kSum);
}

std::string check_data(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.backward_data();
  return differences(
      "dx", conv.dx(),
      reference::conv2d_backward_data(shape.conv, widen(conv.dy()), widen(conv.filter())), kSum);
}

std::string check_filter(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.backward_filter();
  return differences(
      "dfilter", conv.dfilter(),
      reference::conv2d_backward_filter(shape.conv, widen(conv.x()), widen(conv.dy())), kSum);
}

reference::ConvBlockOutput block_output(const OneDnnConv& conv, const ConvBlockShape& shape) {
  return reference::conv_block_forward(shape, widen(conv.x()), widen(conv.filter()),
                                       widen(conv.bias()));
}

std::string check_block_forward(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.forward();
  return differences("pooled", conv.result(), block_output(conv, shape).pooled, kSum);
}

std::string check_block_data(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.backward_data();
  return differences(
      "dx", conv.dx(),
      reference::conv_block_backward_data(shape, widen(conv.dy()), block_output(conv, shape).winner,
                                          widen(conv.filter())),
      kSum);
}

std::string check_block_filter(OneDnnConv& conv, const ConvBlockShape& shape) {
  conv.backward_filter();
  return differences("dfilter", conv.dfilter(),
                     reference::conv_block_backward_filter(shape, widen(conv.x()), widen(conv.dy()),
                                                           block_output(conv, shape).winner)
                         .dfilter,
                     kSum);
}

Work plain_work(const ConvBlockShape& shape) { return conv2d_work(shape.conv); }

const std::vector<Call>& calls() {
  static const std::vector<Call> kCalls = {
      {"conv_block_forward", true, conv_block_forward_work, &OneDnnConv::forward,
       check_block_forward},
      {"conv_block_backward_data", true, conv_block_backward_work, &OneDnnConv::backward_data,
       check_block_data},
      {"conv_block_backward_filter", true, conv_block_backward_work, &OneDnnConv::backward_filter,
       check_block_filter},
      {"conv2d_forward", false, plain_work, &OneDnnConv::forward, check_forward},
      {"conv2d_backward_data", false, plain_work, &OneDnnConv::backward_data, check_data},
      {"conv2d_backward_filter", false, plain_work, &OneDnnConv::backward_filter, check_filter}};
  return kCalls;
}

void add_call(Suite& suite, const ConvLayer& layer, const Call& call, std::int64_t batch) {
  const ConvBlockShape shape = with_batch(layer.shape, batch, Math::kF32);
  suite.add({call.op, layer.name, batch, Math::kF32, "oneDNN", call.work(shape),
             [=] {
               const auto conv = std::make_shared<OneDnnConv>(shape, call.block);
               return [=] { ((*conv).*call.run)(); };
             },
             [=] {
               const std::int64_t images = call.block ? kCheckBatch : conv2d_check_batch(layer);
               const ConvBlockShape small = with_batch(shape, images, Math::kF32);
               OneDnnConv conv(small, call.block);
               return call.check(conv, small);
             }});
}

}  // namespace

void add_onednn_cases(Suite& suite) {
  if (!std::holds_alternative<Cpu>(suite.context)) return;
  omp_set_num_threads(1);
  for (const Call& call : calls()) {
    for (const ConvLayer& layer : call.block ? suite.shapes.conv_layers : conv2d_layers(suite)) {
      if (call.op == "conv_block_backward_data" && layer.first) continue;
      for (const std::int64_t batch : call.block ? suite.batches : conv2d_batches(suite, layer)) {
        add_call(suite, layer, call, batch);
      }
    }
  }
}

}  // namespace gradflip::bench
