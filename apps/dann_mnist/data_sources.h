// Which pictures an experiment learns from and is measured on.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/data/domain_data.h"
#include "models/options.h"

namespace gradflip {

// What was named; nothing stands for what was not, and no folder at all for the built-in digits.
struct DataArguments {
  std::optional<std::filesystem::path> source, target, target_test, photos;
  std::optional<std::string> blend;         // "difference" or "invert", with photos
  SourceInk source_ink = SourceInk::kAsIs;  // of the digits that are blended, too

  bool builtin() const { return !source; }
};

// What an experiment may use. The target's training set comes without labels, by type; the labels
// of target_test are opened to measure accuracy and for nothing else.
struct ExperimentData {
  LabelledImages source_train, source_test;
  UnlabelledImages target_train;
  std::optional<LabelledImages> target_test;  // empty: the target has no labels to measure with
  bool transductive = false;  // every picture of target_test is one of target_train's

  // Of both training sets together; every mode subtracts the same ones.
  std::vector<float> channel_means;

  std::string source_name, target_name;   // in words
  nlohmann::ordered_json source, target;  // sizes and sums, for reports
  std::vector<std::string> notes;         // what the user should know about the data
};

// The train-on-target bound is the one place that may learn from the target's labels, so they stand
// apart, and are opened only where that mode runs.
struct LoadedData {
  ExperimentData experiment;
  std::optional<LabelledImages> labelled_target;
};

// What is to be known before the first step is known here: labels are in range, sizes fit.
// labelled_target is empty if it is not asked for or the target has no training labels. Calls
// `between_parts` before every set that is read or made and before every photograph; what it throws
// ends the loading. Throws
// DataError, or IoError where a file cannot be read.
LoadedData load_data(const DataArguments& arguments, bool with_target_labels,
                     const std::function<void()>& between_parts);

}  // namespace gradflip
