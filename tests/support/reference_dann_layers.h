// The layers of reference_dann, of one image at a time: a class or a pair of functions each.
#pragma once

#include <cstddef>
#include <vector>

namespace gradflip::reference::dann {

using Vector = std::vector<double>;

struct Plane {
  std::size_t height, width, channels;
  Vector values;  // (height, width, channels)

  Plane(std::size_t h, std::size_t w, std::size_t c)
      : height(h), width(w), channels(c), values(h * w * c, 0.0) {}
  double& at(std::size_t h, std::size_t w, std::size_t c) {
    return values[(h * width + w) * channels + c];
  }
  double at(std::size_t h, std::size_t w, std::size_t c) const {
    return values[(h * width + w) * channels + c];
  }
};

// conv2d (valid) + bias + ReLU + 2x2 max pool: forward in the constructor, then backward. Filters
// KCRS. Keeps a reference to `filter`.
class ConvBlock {
 public:
  ConvBlock(const Vector& filter, const Vector& bias, std::size_t filter_size, const Plane& x);

  const Plane& output() const { return pooled_; }

  // Adds to dfilter and dbias; returns the gradient of the input.
  Plane backward(const Plane& dpooled, Vector* dfilter, Vector* dbias) const;

 private:
  struct Position {
    std::size_t h, w;
  };

  std::size_t filter_index(std::size_t k, std::size_t c, std::size_t r, std::size_t s) const {
    return ((k * x_.channels + c) * R_ + r) * R_ + s;
  }
  // The first largest of its window.
  Position winner(std::size_t p, std::size_t q, std::size_t k) const;

  const Vector& filter_;
  std::size_t R_;
  Plane x_, rectified_, pooled_;
};

// weight is (out, in).
Vector linear(const Vector& weight, const Vector& bias, const Vector& x);
// Adds scale times the gradients of weight and bias; returns the gradient of x, which is not
// scaled.
Vector linear_backward(const Vector& weight, const Vector& x, const Vector& dy, double scale,
                       Vector* dweight, Vector* dbias);

Vector relu(Vector x);
// y is the output of the ReLU.
Vector relu_backward(const Vector& y, Vector dy);

// PyTorch flattens (C, H, W); planes here are (H, W, C).
Vector flatten(const Plane& plane);
Plane unflatten(const Vector& features, const Plane& like);

struct LossAndGradient {
  double loss = 0.0;
  Vector dlogits;
};

LossAndGradient softmax_cross_entropy(const Vector& logits, std::size_t label, double smoothing);
LossAndGradient binary_cross_entropy(double logit, double label);

}  // namespace gradflip::reference::dann
