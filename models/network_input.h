// Which pictures the paper's network takes.
#pragma once

#include <cstdint>
#include <string>

#include "models/domain_data.h"
#include "models/training_graph.h"

namespace gradflip {

DatasetShape dataset_shape(const Images& images);

// Throws DataError, one line that begins with `what`, unless the set is whole (domain_data.h) and
// its pictures are 28x28 with 1 or 3 channels.
void require_fits(const Images& images, const std::string& what);
// The same, unless every picture also has a label that a network with so many classes can give.
void require_fits(const LabelledImages& data, std::int64_t num_classes, const std::string& what);

}  // namespace gradflip
