// A non-owning view of one tensor in a context's memory, as an operation sees it when it runs.
#pragma once

#include <cstdint>

#include "runtime/shape.h"

namespace gradflip {

struct TensorView {
  void* data = nullptr;
  Dtype dtype = Dtype::kF32;
  std::int64_t rows = 1;  // rows of the batch that this view covers; 1 for values outside the batch
  Shape shape;            // of one row

  std::int64_t size() const { return rows * shape.size(); }
};

}  // namespace gradflip
