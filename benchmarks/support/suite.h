// What a benchmark is: a named operation on one backend that can be prepared, checked once against
// the double reference, and then called any number of times.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/support/shapes.h"
#include "kernels/context.h"
#include "kernels/math_mode.h"

namespace gradflip::bench {

// The least that the operation has to do, however it is done: a multiply-add that may be other than
// zero counts as two FLOP, bytes are each input read once and each output written once.
struct Work {
  double flops = 0.0;
  double bytes = 0.0;
};

// Runs the operation once, or enqueues it on the context's stream. Owns what it needs.
using Operation = std::function<void()>;

struct Case {
  std::string op;     // "conv_block_forward"
  std::string shape;  // "conv1"
  std::int64_t batch = 0;
  Math math = Math::kF32;
  std::string library;  // "gradflip", or the yardstick's name
  Work work;
  std::function<Operation()> prepare;
  // Compares the operation with its reference on a small batch: "" or what differs. Null where
  // there is nothing to compare.
  std::function<std::string()> check;
};

// Where cases run, and what they are asked for.
struct Suite {
  Context context;
  DannShapes shapes;
  std::vector<std::int64_t> batches;
  std::vector<Math> maths;
  std::vector<Case> cases;

  void add(Case one) { cases.push_back(std::move(one)); }
};

// "conv_block_forward/conv1/128/f32/gradflip", by which --benchmark_filter picks.
std::string full_name(const Case& one);

}  // namespace gradflip::bench
