// Pieces of random networks: what a rewrite looks for, in many shapes, and what almost is it.
#pragma once

#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stop_gradient.h"
#include "runtime/parameters.h"
#include "tests/support/random_choices.h"
#include "tests/support/random_normalisation.h"
#include "tests/support/random_terms.h"

namespace gradflip {

class RandomLayers {
 public:
  // lambda: an f32 scalar, a constant to autodiff. rows: of the draft's segments.
  RandomLayers(RandomChoices& choices, Draft& draft, Parameters& parameters, Value lambda,
               const std::vector<std::int64_t>& rows)
      : choices_(choices),
        graph_(draft.graph),
        parameters_(parameters),
        lambda_(lambda),
        normalisation_(choices, draft, parameters, rows) {}

  // One value for each name and bank, however often it is asked for.
  Value parameter(const std::string& name, const Shape& shape, std::int64_t fan_in, int bank = 0) {
    const auto [known, is_new] = values_.try_emplace({name, bank});
    if (!is_new) return known->second;
    if (bank == 0) {
      const float bound = 1.0F / std::sqrt(static_cast<float>(fan_in));
      indices_[name] = parameters_.add(name, shape, FileLayout::same(shape), Uniform{bound},
                                       /*trained=*/!choices_.oddly(20));
    }
    return known->second = graph_.parameter(indices_.at(name), name, shape, bank);
  }

  // A linear layer. Another bank's needs that of bank 0.
  Value layer(const std::string& name, Value x, std::int64_t out, int bank = 0) {
    const Value y = product(name, x, out, bank);
    const std::int64_t in = graph_.type(x).shape.size();
    return ops::bias(graph_, y, parameter(name + ".bias", {out}, in, bank));
  }

  // What is behind a layer within a network: a ReLU, most often.
  Value hidden(const std::string& name, Value x, std::int64_t out) {
    // Ahead of a batch norm there is no bias, whose gradient would be nothing but rounding.
    Value y = choices_.oddly(6) ? normalisation_.batch_norm(name + ".bn", product(name, x, out, 0))
                                : layer(name, x, out);
    y = rectifier(y);
    return choices_.oddly(5) ? normalisation_.dropout(y) : y;
  }

  Value rectifier(Value x) {
    return choices_.oddly(6) ? ops::leaky_relu(graph_, x, 0.1F) : ops::relu(graph_, x);
  }

  // Pictures to pictures; x itself where they have become too small.
  Value convolution(const std::string& name, Value x) {
    const Shape shape = graph_.type(x).shape;
    if (shape[0] < 4 || shape[1] < 4) return x;
    const std::int64_t R = 1 + choices_.below(3), S = 1 + choices_.below(3);
    const std::int64_t C = shape[2], K = 1 + choices_.below(4);
    const Value filter = parameter(name + ".weight", {R, S, C, K}, R * S * C);
    const auto bias = [&] { return parameter(name + ".bias", {K}, R * S * C); };
    ops::Conv2dGeometry conv;
    if (choices_.once_in(4)) conv.pad_h = conv.pad_w = 1;
    if (choices_.once_in(12) && shape[1] > 5) conv.stride_w = 2;
    const std::int64_t window_h = 1 + choices_.below(2), window_w = 1 + choices_.below(2);
    if (choices_.once_in(3)) {
      return ops::conv_block(graph_, x, filter, bias(), {conv, window_h, window_w});
    }
    Value y = ops::conv2d(graph_, x, filter, conv);
    if (choices_.once_in(4)) {
      y = normalisation_.batch_norm(name + ".bn", y);
    } else if (!choices_.oddly(10)) {
      y = ops::bias(graph_, y, bias());
    }
    if (!choices_.oddly(10)) y = rectifier(y);
    ops::Pool2dGeometry pool{window_h, window_w, window_h, window_w};
    if (choices_.oddly(5)) pool.stride_h = 1;  // windows that overlap
    if (!choices_.oddly(5)) y = ops::max_pool2d(graph_, y, pool);
    return choices_.oddly(5) ? normalisation_.dropout(y) : y;
  }

  // Rows to the same rows: reversed, some of them, a constant, or as they are.
  Value view(Value x) {
    if (choices_.once_in(3)) x = slice(x);
    if (choices_.oddly(8)) x = ops::stop_gradient(graph_, x);
    for (std::uint32_t reversals = choices_.oddly(5) ? 2 : choices_.below(2); reversals > 0;
         --reversals) {
      x = ops::grl(graph_, x, lambda_);
    }
    return choices_.once_in(6) ? slice(x) : x;
  }

  Value slice(Value x) {
    const Rows rows = segment_rows(static_cast<int>(choices_.below(2)));
    return graph_.type(x).rows.contains(rows) ? ops::slice_rows(graph_, x, rows) : x;
  }

  // Of the same type, and not much larger: arithmetic, and sums over the batch in the middle of it.
  Value arithmetic(Value x) {
    const ValueType type = graph_.type(x);
    switch (choices_.below(9)) {
      case 0: {
        const float factor = choices_.one_of({0.5F, 1.5F, -1.0F});
        return ops::scale(graph_, x, factor, choices_.once_in(2) ? lambda_ : Value{});
      }
      case 1:
        return ops::add(graph_, x, ops::scale(graph_, ops::square(graph_, x), 0.25F));
      case 2:
        return ops::multiply(graph_, x, ops::stop_gradient(graph_, x));
      case 3:  // centred
        return ops::subtract(graph_, x,
                             ops::spread_rows(graph_, ops::mean_rows(graph_, x), type.rows));
      case 4:
        return ops::divide(graph_, x, one_and(graph_, ops::square(graph_, x)));
      case 5:
        return ops::exp(graph_, ops::scale(graph_, x, 0.25F));
      case 6:
        return ops::sqrt(graph_, one_and(graph_, ops::square(graph_, x)));
      case 7: {
        if (type.rows != (segment_rows(0) | segment_rows(1))) return x;
        const std::array<Value, 2> parts{ops::slice_rows(graph_, x, segment_rows(0)),
                                         ops::slice_rows(graph_, x, segment_rows(1))};
        return ops::concat_rows(graph_, parts);
      }
      default:
        return ops::add(graph_, x, x);
    }
  }

 private:
  Value product(const std::string& name, Value x, std::int64_t out, int bank) {
    const std::int64_t in = graph_.type(x).shape.size();
    return ops::linear(graph_, x, parameter(name + ".weight", {out, in}, in, bank));
  }

  RandomChoices& choices_;
  Graph& graph_;
  Parameters& parameters_;
  Value lambda_;
  RandomNormalisation normalisation_;
  std::map<std::string, std::int32_t> indices_;
  std::map<std::pair<std::string, int>, Value> values_;
};

}  // namespace gradflip
