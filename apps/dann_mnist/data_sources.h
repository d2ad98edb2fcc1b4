// Which pictures an experiment learns from and is measured on.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/domain_data.h"

namespace gradflip {

struct DataArguments {
  std::filesystem::path source, target, target_test, photos;
  std::string blend;  // "difference" or "invert", with photos

  bool builtin() const { return source.empty(); }
};

// What an experiment may use. The target's training set comes without labels, by type; the labels
// of target_test are opened to measure accuracy and for nothing else.
struct ExperimentData {
  LabelledImages source_train, source_test;
  UnlabelledImages target_train;
  LabelledImages target_test;
  bool transductive = false;  // target_test is the target's training set: it has no test part

  // Of both training sets together; every mode subtracts the same ones.
  std::vector<float> channel_means;

  std::string source_name, target_name;   // in words
  nlohmann::ordered_json source, target;  // sizes and sums, for reports
  std::vector<std::string> notes;         // what the user should know about the data
};

// Throws DataError, or IoError where a file cannot be read.
ExperimentData load_data(const DataArguments& arguments);

// The target's training set with its labels: the train-on-target bound is the one place that may
// learn from them, so they are opened only when that mode runs.
LabelledImages load_labelled_target(const DataArguments& arguments);

}  // namespace gradflip
