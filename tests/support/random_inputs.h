// What random networks read: pictures of two segments and the classes of the first one's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/require.h"
#include "runtime/graph.h"
#include "runtime/ops/augment.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/sample.h"
#include "tests/support/augment_programs.h"
#include "tests/support/random_choices.h"
#include "tests/support/random_data.h"

namespace gradflip {

class RandomInputs {
 public:
  static constexpr std::int64_t kClasses = 3;

  struct Input {
    Value value;
    std::variant<std::vector<float>, std::vector<std::int32_t>, std::vector<std::uint8_t>> contents;
  };

  // rows: of each segment. step: the external counter.
  RandomInputs(RandomChoices& choices, Graph& graph, Value step,
               const std::vector<std::int64_t>& rows)
      : choices_(choices), graph_(graph), step_(step), rows_(rows) {
    pictures = choices_.once_in(3) ? given() : sampled();
  }

  Value pictures;               // f32, rows of both segments x (H, W, C)
  Value classes;                // i32, rows of segment 0 x ()
  std::vector<Input> external;  // to be bound

 private:
  static constexpr std::int64_t kH = 6, kW = 7;

  template <typename T>
  Value input(const std::string& name, const ValueType& type, std::vector<T> contents) {
    const Value value = graph_.external(name, type);
    external.push_back({value, std::move(contents)});
    return value;
  }
  std::uint32_t data_seed() { return choices_.below(1U << 30U); }

  // Floats as they come.
  Value given() {
    std::array<Value, 2> parts;
    for (std::size_t segment = 0; segment < 2; ++segment) {
      const Rows of = segment_rows(static_cast<int>(segment));
      parts[segment] = input(message("x", segment), {Dtype::kF32, {kH, kW, 2}, of},
                             random_floats(rows_[segment] * kH * kW * 2, data_seed()));
    }
    classes = input("labels", {Dtype::kI32, {}, segment_rows(0)},
                    random_labels(rows_[0], kClasses, data_seed()));
    return ops::concat_rows(graph_, parts);
  }

  // Bytes that the step samples, as training does.
  Value sampled() {
    const std::int64_t C = choices_.one_of({1, 3});
    const auto channels = static_cast<std::size_t>(C);
    const Value mean = input("mean", {Dtype::kF32, {C}, {}}, std::vector<float>(channels, 120.0F));
    const Value scale = input("scale", {Dtype::kF32, {C}, {}}, std::vector<float>(channels, 0.01F));
    const auto seed = data_seed();
    std::vector<ops::ImageSource> sources;
    for (std::size_t segment = 0; segment < 2; ++segment) {
      const std::int64_t count = choices_.one_of({4, 9, 11});
      const std::int64_t stored = choices_.one_of({std::int64_t{1}, C});
      const Value images =
          input(message("images", segment), {Dtype::kU8, {count, kH, kW, stored}, {}},
                random_bytes(count * kH * kW * stored, data_seed()));
      const Value indices = ops::sample_indices(graph_, step_, static_cast<int>(segment),
                                                {.seed = seed,
                                                 .stream = static_cast<std::uint32_t>(segment),
                                                 .size = count,
                                                 .batch = rows_[segment]});
      sources.push_back({images, indices});
    }
    const std::int64_t count = graph_.type(sources[0].images).shape[0];
    const Value labels =
        input("labels", {Dtype::kI32, {count}, {}}, random_labels(count, kClasses, data_seed()));
    const Value gathered = choices_.oddly(4) ? augmented(sources, mean, scale)
                                             : ops::gather_normalize(graph_, sources, mean, scale);
    classes = ops::gather_labels(graph_, labels, sources[0].indices);
    return gathered;
  }

  Value augmented(const std::vector<ops::ImageSource>& sources, Value mean, Value scale) {
    std::vector<ops::AugmentedSource> changed;
    changed.reserve(sources.size());
    for (const ops::ImageSource& source : sources) {
      changed.push_back({source.images, source.indices, strong_augmentation()});
    }
    const Value bytes = ops::augment(graph_, step_, changed,
                                     {.seed = data_seed(), .channels = graph_.type(mean).shape[0]});
    return ops::normalize(graph_, bytes, mean, scale);
  }

  RandomChoices& choices_;
  Graph& graph_;
  Value step_;
  std::vector<std::int64_t> rows_;
};

}  // namespace gradflip
