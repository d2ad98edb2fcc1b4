// The gradient rules of an operation, first and second order, on any context, against central
// differences of the same function in double. Inputs have to lie away from kinks.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/ops/elementwise.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {

// A function of values with rows. of_rows(x[0], x[1], ...): the output's rows in double, row by row.
struct OpUnderTest {
  std::string name;
  std::vector<Shape> inputs;  // of a row
  std::function<Value(Graph&, const std::vector<Value>&)> build;
  std::function<std::vector<double>(const std::vector<std::vector<double>>&)> of_rows;
  float scale = 1.0F, shift = 0.0F;  // what its inputs are of numbers in (-1, 1)
  double tolerance = 2e-4;           // of the largest component
};

// With y the function of x, c and v constants of their shapes:
//   s = sum of c * y,   dx = ds/dx,   t = sum of v * dx,   t's gradients of x and of c
class OpGradients {
 public:
  static constexpr std::int64_t kRows = 5;

  explicit OpGradients(const OpUnderTest& op) : op_(op) {
    std::vector<Value> values;
    for (const Shape& shape : op.inputs) {
      x_.push_back(external("x", shape, next_floats(shape)));
      for (float& number : x_.back().numbers) number = op.scale * number + op.shift;
      v_.push_back(external("v", shape, next_floats(shape)));
      values.push_back(x_.back().value);
    }
    const Value y = op.build(graph_, values);
    const Shape shape = graph_.type(y).shape;
    c_ = external("c", shape, next_floats(shape));
    const Value s = sum_all(graph_, ops::multiply(graph_, y, c_.value));
    dx_ = gradients_of(graph_, std::span(&s, 1), values);
    std::vector<Value> wrt(values);
    wrt.push_back(c_.value);
    Value t;
    second_.resize(wrt.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dx_[i].none()) continue;
      const Value part = sum_all(graph_, ops::multiply(graph_, dx_[i], v_[i].value));
      t = t.none() ? part : ops::add(graph_, t, part);
    }
    if (!t.none()) second_ = gradients_of(graph_, std::span(&t, 1), wrt);
  }

  void check(const Context& context, int threads = 1) {
    SCOPED_TRACE(op_.name);
    for (const std::vector<Value>* results : {&dx_, &second_}) {
      for (const Value result : *results) {
        if (!result.none() && !graph_.info(result).result) graph_.mark_result(result);
      }
    }
    GraphRunner runner(graph_, {kRows}, threads, {}, context);
    for (const std::vector<Input>* inputs : {&x_, &v_}) {
      for (const Input& input : *inputs) runner.bind(input.value, input.numbers);
    }
    runner.bind(c_.value, c_.numbers);
    runner.bind_results();
    runner.run();
    for (std::size_t i = 0; i < x_.size(); ++i) {
      expect_near(runner, dx_[i], first(i), "dx");
      expect_near(runner, second_[i], of_first(i), "gradient of dx");
    }
    expect_near(runner, second_.back(), along_v(), "gradient of dx with respect to dy");
  }

 private:
  using Doubles = std::vector<double>;
  struct Input {
    Value value;
    std::vector<float> numbers;
  };

  std::vector<float> next_floats(const Shape& shape) {
    return separated_floats(kRows * shape.size(), ++seed_);
  }
  Input external(const char* name, const Shape& shape, std::vector<float> numbers) {
    return {graph_.external(name, {Dtype::kF32, shape, segment_rows(0)}), std::move(numbers)};
  }

  // y where the inputs are x + along * v, and element `element` of input `input` is `more`.
  Doubles y_at(double along, std::size_t input = 0, std::size_t element = 0,
               double more = 0.0) const {
    std::vector<Doubles> at;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      at.emplace_back(x_[i].numbers.begin(), x_[i].numbers.end());
      for (std::size_t e = 0; e < at[i].size(); ++e) at[i][e] += along * v_[i].numbers[e];
    }
    at[input][element] += more;
    return op_.of_rows(at);
  }
  double s_at(double along, std::size_t input, std::size_t element, double more) const {
    const Doubles y = y_at(along, input, element, more);
    double s = 0.0;
    for (std::size_t e = 0; e < y.size(); ++e) s += c_.numbers.at(e) * y[e];
    return s;
  }

  static constexpr double kStep = 1e-4;

  Doubles first(std::size_t input) const {
    Doubles d(x_[input].numbers.size());
    for (std::size_t e = 0; e < d.size(); ++e) {
      d[e] = (s_at(0, input, e, kStep) - s_at(0, input, e, -kStep)) / (2 * kStep);
    }
    return d;
  }
  Doubles of_first(std::size_t input) const {
    Doubles d(x_[input].numbers.size());
    for (std::size_t e = 0; e < d.size(); ++e) {
      d[e] = (s_at(kStep, input, e, kStep) - s_at(kStep, input, e, -kStep) -
              s_at(-kStep, input, e, kStep) + s_at(-kStep, input, e, -kStep)) /
             (4 * kStep * kStep);
    }
    return d;
  }
  Doubles along_v() const {
    Doubles ahead = y_at(kStep);
    const Doubles behind = y_at(-kStep);
    for (std::size_t e = 0; e < ahead.size(); ++e) ahead[e] = (ahead[e] - behind[e]) / (2 * kStep);
    return ahead;
  }

  // Where autodiff makes nothing, it is zero.
  void expect_near(const GraphRunner& runner, Value result, const Doubles& want,
                   const char* what) const {
    std::vector<float> got(want.size(), 0.0F);
    if (!result.none()) got = runner.read_rows(result);
    ASSERT_EQ(got.size(), want.size()) << what;
    double largest = 1e-2;
    for (const double component : want) largest = std::max(largest, std::abs(component));
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_LE(std::abs(got[i] - want[i]), op_.tolerance * largest)
          << what << "[" << i << "]: got " << got[i] << ", want " << want[i];
    }
  }

  OpUnderTest op_;
  Graph graph_;
  std::uint64_t seed_ = 0;
  std::vector<Input> x_, v_;
  Input c_;
  std::vector<Value> dx_, second_;
};

}  // namespace gradflip
