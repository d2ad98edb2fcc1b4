// What a data set is made of, whatever it is: pictures of any size, or rows of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/graph.h"
#include "runtime/shape.h"

namespace gradflip {

// A data set as a graph sees it.
struct DatasetShape {
  std::int64_t count = 0;
  Shape sample;              // (H, W, C) of pictures; of rows any, of at most three extents
  Dtype dtype = Dtype::kU8;  // kU8: pictures; kF32: rows

  // Of the external value that holds it: (count, ...), without rows of the batch.
  ValueType type() const;
};

// What a message calls a sample: "picture" or "row".
std::string noun_of(Dtype dtype);
// And what samples are: "28x28x3 pictures", "rows of (2)".
std::string text_of(const Shape& sample, Dtype dtype);

// A view of samples that lie one after another, NHWC or row by row. What it looks at must outlive
// it.
struct Samples {
  std::int64_t count = 0;
  Shape shape;  // of one, as in DatasetShape
  Dtype dtype = Dtype::kU8;
  std::span<const std::byte> bytes;

  DatasetShape dataset() const { return {count, shape, dtype}; }
};

// Rows of this shape, as many as fill `values`.
Samples rows_of(std::span<const float> values, const Shape& shape);

// What is wrong with the samples, one line that begins with `what`: sizes and contents disagree, or
// a row holds what is no finite number. Empty if nothing is.
std::string fault_of(const Samples& samples, const std::string& what);

inline constexpr std::int64_t kMaxClasses = 65'536;

// The same of the labels of the samples: one for each, in [0, num_classes), and 1 to kMaxClasses
// classes.
std::string fault_of(const DatasetShape& samples, std::span<const std::int32_t> labels,
                     std::int64_t num_classes, const std::string& what);

}  // namespace gradflip
