// Every number of a run: those that all methods share, and each method's own.
//
//   Recipe recipe = preset("deepda");
//   recipe.training.epochs = 5;
//   recipe.of<DannOptions>().gamma = 3.0;
#pragma once

#include <any>
#include <cstdint>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/method_options.h"
#include "models/option_field.h"
#include "models/options.h"

namespace gradflip {

class Recipe {
 public:
  // Of all methods of method_list.h, with default values, in their order.
  Recipe();

  TrainingOptions training;

  // The options of a method, with default values where the recipe has none of this type. From then
  // on they are part of it: a method that is not in the list joins so. The reference is
  // good until the recipe is assigned to.
  template <typename Options>
  Options& of();
  // Throws std::invalid_argument where the recipe has none of this type.
  template <typename Options>
  const Options& of() const;
  // As they are, unless the recipe has some of their type.
  void add(const MethodOptions& options);

  // Every number, the training's first. They read and write this recipe, which must outlive them,
  // and hold until it is assigned to. Throws std::invalid_argument if two are called the same.
  std::vector<OptionField> fields();
  // The one called `name`; throws std::invalid_argument if there is none.
  OptionField field(const std::string& name);

  const std::list<MethodOptions>& methods() const { return methods_; }

 private:
  std::list<MethodOptions> methods_;
};

// Throws std::invalid_argument, one line, naming the option as the command line spells it, if a
// value is out of range as it is written or as it is used. Schedules are evaluated in double; what
// they give, and every other number, goes into the computation as f32, whatever the precision of
// products. What schedules come to is asked at the end of the run where the recipe has its steps,
// else after the first step: require_schedules() asks where epochs decide.
void require_valid(const Recipe& recipe);

// Throws std::invalid_argument as above if, by the end of a run of total_steps (> 0), a schedule or
// a product of numbers comes to 0 in f32, though nothing that makes it is.
void require_schedules(const Recipe& recipe, std::int64_t total_steps);

template <typename Options>
Options& Recipe::of() {
  for (MethodOptions& method : methods_) {
    if (auto* const options = std::any_cast<Options>(&method.options)) return *options;
  }
  return std::any_cast<Options&>(methods_.emplace_back(method_options<Options>()).options);
}

template <typename Options>
const Options& Recipe::of() const {
  for (const MethodOptions& method : methods_) {
    if (const auto* const options = std::any_cast<Options>(&method.options)) return *options;
  }
  throw std::invalid_argument(
      "recipe: it has no options of this type; a method names those that it reads in "
      "Method::options");
}

}  // namespace gradflip
