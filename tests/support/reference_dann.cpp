#include "tests/support/reference_dann.h"

#include <algorithm>
#include <stdexcept>

#include "tests/support/reference_dann_layers.h"

namespace gradflip::reference {
namespace {

using namespace dann;

// One training step; a null `gradients` asks for the losses alone.
class Step {
 public:
  Step(const DannSizes& sizes, const DannParameters& parameters, const DannOptions& options,
       const DannBatch& batch, DannParameters* gradients)
      : sizes_(sizes), parameters_(parameters), options_(options), gradients_(gradients) {
    const std::size_t image_size = sizes.height * sizes.width * sizes.channels;
    sources_ = batch.source_labels.size();
    targets_ = batch.target_images.size() / image_size;
    if (sources_ == 0 || targets_ == 0 || batch.source_images.size() != sources_ * image_size ||
        batch.target_images.size() != targets_ * image_size) {
      throw std::invalid_argument("reference dann: the batch does not fit the sizes");
    }
    for (std::size_t n = 0; n < sources_; ++n) {
      image(batch.source_images, n, 0.0, &batch.source_labels[n]);
    }
    for (std::size_t n = 0; n < targets_; ++n) image(batch.target_images, n, 1.0, nullptr);
  }

  DannLosses losses() const { return losses_; }

 private:
  const Vector& parameter(const std::string& name) const { return parameters_.at(name); }
  Vector* gradient(const std::string& name) { return &gradients_->at(name); }

  Vector apply(const std::string& layer, const Vector& x) const {
    return linear(parameter(layer + ".weight"), parameter(layer + ".bias"), x);
  }
  Vector unapply(const std::string& layer, const Vector& x, const Vector& dy, double scale = 1.0) {
    return linear_backward(parameter(layer + ".weight"), x, dy, scale, gradient(layer + ".weight"),
                           gradient(layer + ".bias"));
  }
  ConvBlock conv_block(const std::string& layer, const Plane& x) const {
    return {parameter(layer + ".weight"), parameter(layer + ".bias"), sizes_.filter_size, x};
  }
  Plane unconv(const std::string& layer, const ConvBlock& block, const Plane& dy) {
    return block.backward(dy, gradient(layer + ".weight"), gradient(layer + ".bias"));
  }

  // What an image of the domain weighs in domain_objective.
  double domain_share(double domain) const {
    const double images = static_cast<double>(domain == 0.0 ? sources_ : targets_);
    switch (options_.domain_reduction) {
      case DannReduction::kSumOfMeans:
        return 1.0 / images;
      case DannReduction::kHalf:
        return 0.5 / images;
      case DannReduction::kMean:
        break;
    }
    return 1.0 / static_cast<double>(sources_ + targets_);
  }

  void image(const Vector& images, std::size_t n, double domain, const int* label) {
    Plane x(sizes_.height, sizes_.width, sizes_.channels);
    std::copy_n(images.begin() + static_cast<std::ptrdiff_t>(n * x.values.size()), x.values.size(),
                x.values.begin());
    const ConvBlock conv1 = conv_block("feature_extractor.conv1", x);
    const ConvBlock conv2 = conv_block("feature_extractor.conv2", conv1.output());
    const Vector features = flatten(conv2.output());

    Vector dfeatures(features.size(), 0.0);
    if (label != nullptr) label_branch(features, static_cast<std::size_t>(*label), &dfeatures);
    domain_branch(features, domain, &dfeatures);
    if (gradients_ == nullptr) return;
    const Plane dconv2 = unflatten(dfeatures, conv2.output());
    unconv("feature_extractor.conv1", conv1, unconv("feature_extractor.conv2", conv2, dconv2));
  }

  void label_branch(const Vector& features, std::size_t label, Vector* dfeatures) {
    const Vector h1 = relu(apply("label_predictor.fc1", features));
    const Vector h2 = relu(apply("label_predictor.fc2", h1));
    const Vector logits = apply("label_predictor.fc3", h2);
    auto [loss, dlogits] = softmax_cross_entropy(logits, label, options_.label_smoothing);
    const double share = 1.0 / static_cast<double>(sources_);
    losses_.label += share * loss;
    if (gradients_ == nullptr) return;

    for (double& value : dlogits) value *= share;
    const Vector dh2 = relu_backward(h2, unapply("label_predictor.fc3", h2, dlogits));
    const Vector dh1 = relu_backward(h1, unapply("label_predictor.fc2", h1, dh2));
    const Vector df = unapply("label_predictor.fc1", features, dh1);
    for (std::size_t index = 0; index < df.size(); ++index) (*dfeatures)[index] += df[index];
  }

  void domain_branch(const Vector& features, double domain, Vector* dfeatures) {
    const Vector h = relu(apply("domain_classifier.fc1", features));
    const double logit = apply("domain_classifier.fc2", h)[0];
    auto [loss, dlogit] = binary_cross_entropy(logit, domain);
    losses_.domain += loss / static_cast<double>(sources_ + targets_);
    losses_.domain_objective += domain_share(domain) * loss;
    if (gradients_ == nullptr) return;

    const double smoothing = options_.domain_label_smoothing;
    dlogit = binary_cross_entropy(logit, (1.0 - smoothing) * domain + smoothing / 2.0).dlogits;
    dlogit[0] *= options_.domain_weight * domain_share(domain);
    const double scale = options_.lambda_scales_classifier ? options_.lambda : 1.0;
    const Vector dh = relu_backward(h, unapply("domain_classifier.fc2", h, dlogit, scale));
    const Vector df = unapply("domain_classifier.fc1", features, dh, scale);
    for (std::size_t index = 0; index < df.size(); ++index) {
      (*dfeatures)[index] -= options_.lambda * df[index];
    }
  }

  const DannSizes& sizes_;
  const DannParameters& parameters_;
  const DannOptions& options_;
  DannParameters* gradients_;
  std::size_t sources_ = 0, targets_ = 0;
  DannLosses losses_;
};

}  // namespace

DannParameters zero_dann_parameters(const DannSizes& sizes) {
  const auto pooled_twice = [&](std::size_t size) {
    return ((size - sizes.filter_size + 1) / 2 - sizes.filter_size + 1) / 2;
  };
  const std::size_t window = sizes.filter_size * sizes.filter_size;
  const std::size_t features =
      sizes.conv2_filters * pooled_twice(sizes.height) * pooled_twice(sizes.width);
  DannParameters parameters;
  const auto add = [&](const std::string& layer, std::size_t outputs, std::size_t fan_in) {
    parameters[layer + ".weight"].assign(outputs * fan_in, 0.0);
    parameters[layer + ".bias"].assign(outputs, 0.0);
  };
  add("feature_extractor.conv1", sizes.conv1_filters, sizes.channels * window);
  add("feature_extractor.conv2", sizes.conv2_filters, sizes.conv1_filters * window);
  add("label_predictor.fc1", sizes.label_hidden1, features);
  add("label_predictor.fc2", sizes.label_hidden2, sizes.label_hidden1);
  add("label_predictor.fc3", sizes.num_classes, sizes.label_hidden2);
  add("domain_classifier.fc1", sizes.domain_hidden, features);
  add("domain_classifier.fc2", 1, sizes.domain_hidden);
  return parameters;
}

DannLosses dann_losses(const DannSizes& sizes, const DannParameters& parameters,
                       const DannOptions& options, const DannBatch& batch) {
  return Step(sizes, parameters, options, batch, nullptr).losses();
}

DannStep dann_step(const DannSizes& sizes, const DannParameters& parameters,
                   const DannOptions& options, const DannBatch& batch) {
  DannStep result;
  result.gradients = zero_dann_parameters(sizes);
  result.losses = Step(sizes, parameters, options, batch, &result.gradients).losses();
  return result;
}

void dann_sgd(const DannSgd& options, double learning_rate, const DannParameters& gradients,
              DannParameters* parameters, DannParameters* velocity) {
  for (const auto& [name, gradient] : gradients) {
    Vector& weights = parameters->at(name);
    Vector& speeds = (*velocity)[name];
    speeds.resize(weights.size(), 0.0);
    for (std::size_t index = 0; index < weights.size(); ++index) {
      speeds[index] = options.momentum * speeds[index] + gradient[index] +
                      options.weight_decay * weights[index];
      weights[index] -= learning_rate * speeds[index];
    }
  }
}

}  // namespace gradflip::reference
