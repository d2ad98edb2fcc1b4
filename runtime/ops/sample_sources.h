// What operations share that take samples of several data sets: pairs of data and indices among
// their inputs.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// The segments of sources that stand one after the other from input `first` on: each an index of
// rows, in ascending order. Throws std::invalid_argument.
inline Rows rows_of_sources(std::string_view op, std::span<const ValueType> inputs,
                            std::size_t first) {
  GRADFLIP_REQUIRE(inputs.size() >= first + 2, message(op, ": no source"));
  Rows rows;
  for (std::size_t i = first; i + 1 < inputs.size(); i += 2) {
    const ValueType& indices = inputs[i + 1];
    GRADFLIP_REQUIRE(
        indices.dtype == Dtype::kI64 && !indices.rows.none() && indices.rows.mask > rows.mask,
        message(op, ": the sources' segments must ascend"));
    rows = rows | indices.rows;
  }
  return rows;
}

// What a launch moves: of the data sets, the samples that the indices name.
inline OpCost cost_of_sources(std::span<const TensorView> inputs,
                              std::span<const TensorView> outputs, std::size_t first) {
  double bytes = bytes_of(outputs);
  for (std::size_t i = first; i + 1 < inputs.size(); i += 2) {
    const Shape& data = inputs[i].shape;
    const std::int64_t sample_bytes = data.size() / data[0] * bytes_of(inputs[i].dtype);
    bytes +=
        static_cast<double>(inputs[i + 1].rows * sample_bytes) + bytes_of(inputs.subspan(i + 1, 1));
  }
  return {.bytes = bytes};
}

}  // namespace gradflip::ops
