#include "models/network_input.h"

#include <algorithm>

#include "kernels/require.h"
#include "models/dann.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

void require_whole(const std::string& fault) {
  if (!fault.empty()) throw DataError(fault);
}

}  // namespace

DatasetShape dataset_shape(const Images& images) {
  return {images.count, images.height, images.width, images.channels};
}

void require_fits(const Images& images, const std::string& what) {
  require_whole(fault_of(images, what));
  if (images.height != kImageSize || images.width != kImageSize) {
    throw DataError(message(what, ": pictures are ", images.width, "x", images.height, "x",
                            images.channels, ", the network takes ", kImageSize, "x", kImageSize,
                            " with 1 or 3 channels"));
  }
}

void require_fits(const LabelledImages& data, std::int64_t num_classes, const std::string& what) {
  require_whole(fault_of(data, what));
  require_fits(data.images, what);
  const auto unknown = std::find_if(data.labels.begin(), data.labels.end(),
                                    [&](std::int32_t label) { return label >= num_classes; });
  if (unknown != data.labels.end()) {
    throw DataError(message(what, ": picture ", unknown - data.labels.begin(), " has the label ",
                            *unknown, ", and the network's ", num_classes, " classes are 0 to ",
                            num_classes - 1));
  }
}

}  // namespace gradflip
