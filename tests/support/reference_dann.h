// A whole DANN training step in double, image by image with plain loops: the oracle of the trainer.
// It shares no code with kernels, runtime or models, and has no graph: every gradient is written
// out by hand.
//
//   feature_extractor  conv (valid) + bias + ReLU + 2x2 max pool, twice; flattened as C, H, W
//   label_predictor    three linear layers with ReLU between; softmax cross-entropy over the
//                      source images
//   domain_classifier  two linear layers with ReLU between, one logit; binary cross-entropy,
//                      source 0, target 1
//
// Images are NHWC; parameters are in PyTorch's conventions: filters KCRS, matrices (out, in).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace gradflip::reference {

// The defaults are the paper's network.
struct DannSizes {
  std::size_t height = 28, width = 28, channels = 3;
  std::size_t filter_size = 5, conv1_filters = 32, conv2_filters = 48;
  std::size_t label_hidden1 = 100, label_hidden2 = 100, num_classes = 10;
  std::size_t domain_hidden = 100;
};

// "feature_extractor.conv1.weight" and so on: conv1, conv2; fc1, fc2, fc3; fc1, fc2; each .weight
// and .bias.
using DannParameters = std::map<std::string, std::vector<double>>;

// Every block with its size, filled with zeros.
DannParameters zero_dann_parameters(const DannSizes& sizes);

enum class DannReduction { kSumOfMeans, kHalf, kMean };

struct DannOptions {
  double lambda = 1.0;
  bool lambda_scales_classifier =
      false;  // false: only the features' gradient is scaled, as in the paper
  double domain_weight = 1.0;
  DannReduction domain_reduction = DannReduction::kSumOfMeans;
  double label_smoothing = 0.0;
  double domain_label_smoothing = 0.0;  // in gradients; losses are without
};

// The two domains may have different numbers of images, at least one each.
struct DannBatch {
  std::vector<double> source_images, target_images;  // (any, height, width, channels)
  std::vector<int> source_labels;
};

struct DannLosses {
  double label = 0.0;             // mean over the source images
  double domain = 0.0;            // mean over all images
  double domain_objective = 0.0;  // reduced as the options say, before domain_weight
};

DannLosses dann_losses(const DannSizes& sizes, const DannParameters& parameters,
                       const DannOptions& options, const DannBatch& batch);

struct DannStep {
  DannLosses losses;
  // feature_extractor: d label - lambda * domain_weight * d domain_objective. label_predictor: d
  // label. domain_classifier: domain_weight * d domain_objective, times lambda if
  // lambda_scales_classifier.
  DannParameters gradients;
};

DannStep dann_step(const DannSizes& sizes, const DannParameters& parameters,
                   const DannOptions& options, const DannBatch& batch);

struct DannSgd {
  double momentum = 0.9;
  double weight_decay = 0.0;
};

// velocity = momentum * velocity + gradient + weight_decay * parameter;  parameter -= learning_rate
// * velocity. An empty `velocity` counts as zero.
void dann_sgd(const DannSgd& options, double learning_rate, const DannParameters& gradients,
              DannParameters* parameters, DannParameters* velocity);

}  // namespace gradflip::reference
