// Reference of kernels/outer_product.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/outer_product.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

// visit(element of y, of a, of b)
template <typename Visit>
void for_each_product(const OuterProductShape& shape, const Visit& visit) {
  std::int64_t y = 0;
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t i = 0; i < shape.A; ++i) {
      for (std::int64_t j = 0; j < shape.B; ++j) visit(y++, n * shape.A + i, n * shape.B + j);
    }
  }
}

inline std::vector<double> outer_product_forward(const OuterProductShape& shape,
                                                 const std::vector<double>& a,
                                                 const std::vector<double>& b) {
  std::vector<double> product;
  for_each_product(shape, [&](std::int64_t /*y*/, std::int64_t i, std::int64_t j) {
    product.push_back(a.at(static_cast<std::size_t>(i)) * b.at(static_cast<std::size_t>(j)));
  });
  return product;
}

inline Sums outer_product_backward_a(const OuterProductShape& shape, const std::vector<double>& dy,
                                     const std::vector<double>& b) {
  Sums da(shape.N * shape.A);
  for_each_product(shape, [&](std::int64_t y, std::int64_t i, std::int64_t j) {
    da.add(i, dy.at(static_cast<std::size_t>(y)) * b.at(static_cast<std::size_t>(j)));
  });
  return da;
}

inline Sums outer_product_backward_b(const OuterProductShape& shape, const std::vector<double>& dy,
                                     const std::vector<double>& a) {
  Sums db(shape.N * shape.B);
  for_each_product(shape, [&](std::int64_t y, std::int64_t i, std::int64_t j) {
    db.add(j, dy.at(static_cast<std::size_t>(y)) * a.at(static_cast<std::size_t>(i)));
  });
  return db;
}

}  // namespace gradflip::reference
