#include "models/network_builder.h"

#include <algorithm>

#include "kernels/require.h"

namespace gradflip {

std::int32_t NetworkBuilder::index_of(const std::string& name) const {
  for (std::size_t i = 0; i < declared_.list().size(); ++i) {
    if (declared_.list()[i].name == name) return static_cast<std::int32_t>(i);
  }
  return -1;
}

void NetworkBuilder::set_segments(const std::vector<int>& domains,
                                  const std::vector<std::int64_t>& rows) {
  std::copy(domains.begin(), domains.end(), pass_.domains.begin());
  if (pass_.training) pass_.training->rows = rows;
}

Value NetworkBuilder::parameter(const std::string& name, const Shape& shape, const FileLayout& file,
                                const Initialiser& initialiser, bool trained) {
  std::int32_t index = index_of(name);
  if (index < 0) {
    GRADFLIP_REQUIRE(declares_ != nullptr,
                     message("layers: the network has no parameter ", name,
                             "; declare it where the network is built for training"));
    index = declares_->add(name, shape, file, initialiser, trained);
  }
  GRADFLIP_REQUIRE(declared_[index].shape == shape,
                   message("layers: ", name, " has the shape ", declared_[index].shape.text(),
                           ", here it would have ", shape.text()));
  if (values_.size() <= static_cast<std::size_t>(index)) {
    values_.resize(static_cast<std::size_t>(index) + 1);
  }
  Value& value = values_[static_cast<std::size_t>(index)];
  if (value.none()) value = graph_.parameter(index, name, shape, pass_.bank);
  return value;
}

}  // namespace gradflip
