// Arithmetic on f32 values, element by element.
#pragma once

#include "kernels/elementwise.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct UnaryAttributes {
  Unary function = Unary::kExp;
};
struct BinaryAttributes {
  Binary function = Binary::kAdd;
};
struct ScaleAttributes {
  float factor = 1.0F;
};
struct ConstantAttributes {
  float number = 0.0F;
};

// x: any f32. Outside their domains they give what kernels/elementwise.h says.
Value exp(Graph& graph, Value x);
Value log(Graph& graph, Value x);
Value sqrt(Graph& graph, Value x);
Value square(Graph& graph, Value x);
Value sigmoid(Graph& graph, Value x);
Value tanh(Graph& graph, Value x);
Value softplus(Graph& graph, Value x);  // log(1 + exp(x)); the log of a sigmoid is -softplus(-x)
Value abs(Graph& graph, Value x);       // its gradient at 0 is 0
Value sign(Graph& graph, Value x);      // its gradient is 0

// a, b: f32 of one type.
Value add(Graph& graph, Value a, Value b);
Value subtract(Graph& graph, Value a, Value b);
Value multiply(Graph& graph, Value a, Value b);
Value divide(Graph& graph, Value a, Value b);

// factor * x, or factor * times * x: times is an f32 scalar without rows, such as a schedule's
// value. Differentiating with respect to `times` throws: multiply does that.
Value scale(Graph& graph, Value x, float factor, Value times = {});

// `number` everywhere in a value of this f32 type.
Value constant(Graph& graph, const ValueType& type, float number);

}  // namespace gradflip::ops
