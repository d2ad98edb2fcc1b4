#include "tests/support/reference_dann_layers.h"

#include <algorithm>
#include <cmath>

namespace gradflip::reference::dann {

ConvBlock::ConvBlock(const Vector& filter, const Vector& bias, std::size_t filter_size,
                     const Plane& x)
    : filter_(filter),
      R_(filter_size),
      x_(x),
      rectified_(x.height - R_ + 1, x.width - R_ + 1, bias.size()),
      pooled_(rectified_.height / 2, rectified_.width / 2, bias.size()) {
  for (std::size_t p = 0; p < rectified_.height; ++p) {
    for (std::size_t q = 0; q < rectified_.width; ++q) {
      for (std::size_t k = 0; k < bias.size(); ++k) {
        double sum = bias[k];
        for (std::size_t c = 0; c < x.channels; ++c) {
          for (std::size_t r = 0; r < R_; ++r) {
            for (std::size_t s = 0; s < R_; ++s) {
              sum += x.at(p + r, q + s, c) * filter_[filter_index(k, c, r, s)];
            }
          }
        }
        rectified_.at(p, q, k) = std::max(sum, 0.0);
      }
    }
  }
  for (std::size_t p = 0; p < pooled_.height; ++p) {
    for (std::size_t q = 0; q < pooled_.width; ++q) {
      for (std::size_t k = 0; k < bias.size(); ++k) {
        const auto [h, w] = winner(p, q, k);
        pooled_.at(p, q, k) = rectified_.at(h, w, k);
      }
    }
  }
}

Plane ConvBlock::backward(const Plane& dpooled, Vector* dfilter, Vector* dbias) const {
  Plane dx(x_.height, x_.width, x_.channels);
  for (std::size_t p = 0; p < pooled_.height; ++p) {
    for (std::size_t q = 0; q < pooled_.width; ++q) {
      for (std::size_t k = 0; k < pooled_.channels; ++k) {
        const auto [h, w] = winner(p, q, k);
        if (rectified_.at(h, w, k) <= 0.0) continue;
        const double dy = dpooled.at(p, q, k);
        (*dbias)[k] += dy;
        for (std::size_t c = 0; c < x_.channels; ++c) {
          for (std::size_t r = 0; r < R_; ++r) {
            for (std::size_t s = 0; s < R_; ++s) {
              const std::size_t index = filter_index(k, c, r, s);
              (*dfilter)[index] += dy * x_.at(h + r, w + s, c);
              dx.at(h + r, w + s, c) += dy * filter_[index];
            }
          }
        }
      }
    }
  }
  return dx;
}

ConvBlock::Position ConvBlock::winner(std::size_t p, std::size_t q, std::size_t k) const {
  Position best{2 * p, 2 * q};
  for (std::size_t h = 2 * p; h < 2 * p + 2; ++h) {
    for (std::size_t w = 2 * q; w < 2 * q + 2; ++w) {
      if (rectified_.at(h, w, k) > rectified_.at(best.h, best.w, k)) best = {h, w};
    }
  }
  return best;
}

Vector linear(const Vector& weight, const Vector& bias, const Vector& x) {
  Vector y = bias;
  for (std::size_t row = 0; row < y.size(); ++row) {
    for (std::size_t column = 0; column < x.size(); ++column) {
      y[row] += weight[row * x.size() + column] * x[column];
    }
  }
  return y;
}

Vector linear_backward(const Vector& weight, const Vector& x, const Vector& dy, double scale,
                       Vector* dweight, Vector* dbias) {
  Vector dx(x.size(), 0.0);
  for (std::size_t row = 0; row < dy.size(); ++row) {
    (*dbias)[row] += scale * dy[row];
    for (std::size_t column = 0; column < x.size(); ++column) {
      (*dweight)[row * x.size() + column] += scale * dy[row] * x[column];
      dx[column] += weight[row * x.size() + column] * dy[row];
    }
  }
  return dx;
}

Vector relu(Vector x) {
  for (double& value : x) value = std::max(value, 0.0);
  return x;
}

Vector relu_backward(const Vector& y, Vector dy) {
  for (std::size_t index = 0; index < y.size(); ++index) {
    if (y[index] <= 0.0) dy[index] = 0.0;
  }
  return dy;
}

Vector flatten(const Plane& plane) {
  Vector features;
  for (std::size_t c = 0; c < plane.channels; ++c) {
    for (std::size_t h = 0; h < plane.height; ++h) {
      for (std::size_t w = 0; w < plane.width; ++w) features.push_back(plane.at(h, w, c));
    }
  }
  return features;
}

Plane unflatten(const Vector& features, const Plane& like) {
  Plane plane(like.height, like.width, like.channels);
  std::size_t index = 0;
  for (std::size_t c = 0; c < plane.channels; ++c) {
    for (std::size_t h = 0; h < plane.height; ++h) {
      for (std::size_t w = 0; w < plane.width; ++w) plane.at(h, w, c) = features[index++];
    }
  }
  return plane;
}

LossAndGradient softmax_cross_entropy(const Vector& logits, std::size_t label, double smoothing) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  LossAndGradient result;
  for (std::size_t index = 0; index < logits.size(); ++index) {
    const double log_prob = logits[index] - largest - std::log(sum);
    const double wanted =
        (index == label ? 1.0 - smoothing : 0.0) + smoothing / static_cast<double>(logits.size());
    result.loss -= wanted * log_prob;
    result.dlogits.push_back(std::exp(log_prob) - wanted);
  }
  return result;
}

LossAndGradient binary_cross_entropy(double logit, double label) {
  const double loss = std::max(logit, 0.0) - logit * label + std::log1p(std::exp(-std::abs(logit)));
  return {loss, {1.0 / (1.0 + std::exp(-logit)) - label}};
}

}  // namespace gradflip::reference::dann
