#include "models/network_input.h"

#include "kernels/require.h"
#include "models/dann.h"
#include "runtime/errors.h"

namespace gradflip {

DatasetShape dataset_shape(const Images& images) {
  return {images.count, images.height, images.width, images.channels};
}

void require_fits(const Images& images, const std::string& what) {
  if (images.height != kImageSize || images.width != kImageSize ||
      (images.channels != 1 && images.channels != kImageChannels)) {
    throw DataError(message(what, ": pictures are ", images.width, "x", images.height, "x",
                            images.channels, ", the network takes ", kImageSize, "x", kImageSize,
                            " with 1 or 3 channels"));
  }
}

}  // namespace gradflip
