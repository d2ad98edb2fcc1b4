// tests/data/torch_*_trace.json: ten steps as PyTorch took them in float64, of the paper's DANN (made
// by scripts/make_torch_trace.py) and of fungtion's (scripts/make_fungtion_trace.py), from the
// inputs of tests/support/trace_inputs.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace gradflip::trace {

struct Step {
  double lambda = 0.0, learning_rate = 0.0;
  double label_loss = 0.0;   // mean over the source images
  double domain_loss = 0.0;  // mean over all images
  // The same of PyTorch's float32 run: how far rounding alone leads.
  double float32_label_loss = 0.0, float32_domain_loss = 0.0;
};

// A block of weights by its Euclidean norm and some of its entries.
struct Sample {
  double norm = 0.0;
  std::vector<std::size_t> indices;
  std::vector<double> values;
};

// Of some images, each one's row behind the other.
struct Logits {
  std::vector<double> label, domain;
};

struct Trace {
  std::vector<Step> steps;
  std::map<std::string, Sample> initial_weights;
  std::map<std::string, Sample> weight_changes;  // final minus initial
  // Of a network with batch normalisation, after all steps: running means and variances, and what
  // it says by them of all images of "source" and "target".
  std::map<std::string, Sample> running;
  std::map<std::string, Logits> evaluation;
};

// Throws if the file is missing or has another form.
Trace read_torch_trace(const std::filesystem::path& path);

}  // namespace gradflip::trace
