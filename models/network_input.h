// Which pictures the paper's network takes.
#pragma once

#include <string>

#include "models/domain_data.h"
#include "models/training_graph.h"

namespace gradflip {

DatasetShape dataset_shape(const Images& images);

// Throws DataError, one line that begins with `what`, unless the pictures are 28x28 with 1 or 3
// channels.
void require_fits(const Images& images, const std::string& what);

}  // namespace gradflip
