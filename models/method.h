// A method of adaptation: what it draws, computes and makes small on a step, as data and functions.
// One file of models/methods defines one, and reads like its paper's algorithm:
//
//   void write_dann(Step& step) { ... }    draws, networks, losses, objective, reports
//   Method dann() { ... }                  its name, options, {.updates = {{"dann", write_dann}}}
//
// docs/adding.md adds one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/divergence.h"
#include "models/method_options.h"
#include "models/recipe.h"
#include "models/step.h"

namespace gradflip {

// One update of a step: it writes down what becomes a program.
struct Update {
  std::string name;  // no other update of the method has it
  std::function<void(Step& step)> write;
  int times = 1;             // per step, one after the other; the last one reports
  bool own_samples = false;  // each time others than the step's; false: the step's every time
};

// The weights of one bank become those of another; 0 is the bank that is trained.
struct BankCopy {
  int from = 0, to = 1;
};

// Steps that are all alike.
struct Stage {
  std::vector<Update> updates;        // of each step, in order
  double share = 1.0;                 // of the run's steps, relative to the other stages'
  std::vector<BankCopy> copies = {};  // made before the first step, in order
};

struct Method {
  std::string name;     // as the command line and files have it: "dann"
  std::string summary;  // of --help: one line
  // Whether it learns from the target's pictures, which have no labels. Otherwise it sees the
  // source alone.
  bool reads_target = true;
  int banks = 1;                            // of weights: the trained ones, and copies
  std::vector<MethodOptions> options = {};  // its own numbers, beside TrainingOptions
  std::function<std::vector<Stage>(const Recipe& recipe)> stages;
  // The options, with their dashes, of which a smaller value may help: those that reach the
  // quantity, were at work by then, and are not zero already. None: optimizer_suspects().
  std::function<std::vector<std::string>(const Divergence& divergence, const Recipe& recipe)>
      suspects = {};
};

std::vector<std::string> suspects_of(const Method& method, const Divergence& divergence,
                                     const Recipe& recipe);

}  // namespace gradflip
