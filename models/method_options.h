// A method's options, whatever their type. Such a type is a struct that can be copied, whose
// defaults are a recipe that works, and beside it, in its namespace:
//
//   std::vector<OptionField> fields(Options& options);        describes each number
//   void require_together(const Options& options, const TrainingOptions& training,
//                         std::int64_t total_steps);          may be left out
//
// The second throws std::invalid_argument, naming options, where numbers that are each in range do
// not go together, or come to nothing within a run of total_steps. Recipe::of<Options>() does the
// rest: command line, configuration files, JSON and --help show whatever a recipe holds.
#pragma once

#include <algorithm>
#include <any>
#include <cstdint>
#include <iterator>
#include <vector>

#include "models/option_field.h"
#include "models/options.h"

namespace gradflip {

struct MethodOptions {
  std::any options;
  std::vector<OptionField> (*fields)(std::any& options);
  void (*require_together)(const std::any& options, const TrainingOptions& training,
                           std::int64_t total_steps);
};

// Whether one of `list` is of the same type, whatever its numbers.
template <typename List>
bool has_type_of(const List& list, const MethodOptions& options) {
  return std::any_of(std::begin(list), std::end(list), [&](const MethodOptions& other) {
    return other.options.type() == options.options.type();
  });
}

template <typename Options>
MethodOptions method_options() {
  const auto fields_of = [](std::any& options) { return fields(std::any_cast<Options&>(options)); };
  const auto require = [](const std::any& options, const TrainingOptions& training,
                          std::int64_t total_steps) {
    if constexpr (requires(const Options& o) { require_together(o, training, total_steps); }) {
      require_together(std::any_cast<const Options&>(options), training, total_steps);
    }
  };
  return {Options{}, fields_of, require};
}

}  // namespace gradflip
