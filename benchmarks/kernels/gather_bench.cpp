// Pictures of a data set, picked by index, as normalised floats: grey ones and coloured ones.
#include <array>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/gather.h"

namespace gradflip::bench {
namespace {

constexpr std::int64_t kPictures = 8192;  // of the data set: more than caches hold
constexpr float kFactor = 1.0F / 255.0F;
constexpr std::array<float, 3> kMeans{20.0F, 30.0F, 40.0F};

std::vector<std::int64_t> random_indices(std::int64_t count, std::int64_t pictures) {
  std::vector<std::int64_t> indices;
  for (const std::int32_t index : random_labels(count, pictures, 1)) indices.push_back(index);
  return indices;
}

template <typename Ctx>
struct GatherArrays {
  GatherArrays(Ctx ctx, const GatherShape& gather_shape, std::int64_t pictures)
      : context(ctx),
        shape(gather_shape),
        images(ctx, random_bytes(pictures * shape.pixels * shape.stored_channels, 2)),
        indices(ctx, random_indices(shape.count, pictures)),
        mean(ctx, std::vector<float>(kMeans.begin(), kMeans.end())),
        scale(ctx, std::vector<float>(kMeans.size(), kFactor)),
        y(ctx, shape.count * shape.pixels * shape.channels) {}

  void run() const {
    gather_normalize(context, shape, images.data(), indices.data(), mean.data(), scale.data(),
                     y.data());
  }

  Ctx context;
  GatherShape shape;
  Array<std::uint8_t> images;
  Array<std::int64_t> indices;
  Array<float> mean, scale, y;
};

reference::Sums expected(const GatherShape& shape, const std::vector<std::uint8_t>& images,
                         const std::vector<std::int64_t>& indices) {
  reference::Sums want(shape.count * shape.pixels * shape.channels);
  std::int64_t element = 0;
  for (const std::int64_t index : indices) {
    for (std::int64_t pixel = 0; pixel < shape.pixels; ++pixel) {
      for (std::int64_t c = 0; c < shape.channels; ++c, ++element) {
        const std::int64_t stored = shape.stored_channels == 1 ? 0 : c;
        const std::int64_t at = (index * shape.pixels + pixel) * shape.stored_channels + stored;
        const auto factor = static_cast<double>(kFactor);
        want.add(element, factor * images.at(at));
        want.add(element, -factor * static_cast<double>(kMeans.at(c)));
      }
    }
  }
  return want;
}

template <typename Ctx>
std::string check(Ctx ctx, GatherShape shape) {
  shape.count = 5;
  const GatherArrays<Ctx> arrays(ctx, shape, 7);
  arrays.run();
  return differences("y", arrays.y.read(),
                     expected(shape, arrays.images.read(), arrays.indices.read()), kElementwise);
}

}  // namespace

void add_gather_cases(Suite& suite) {
  const std::int64_t pixels = suite.shapes.image_size * suite.shapes.image_size;
  const std::int64_t channels = suite.shapes.image_channels;
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          for (const std::int64_t stored : {std::int64_t{1}, channels}) {
            const GatherShape shape{batch, pixels, stored, channels};
            const auto bytes = static_cast<double>(batch * (pixels * (stored + 4 * channels) + 8));
            suite.add({"gather_normalize",
                       stored == 1 ? "grey" : "colour",
                       batch,
                       Math::kF32,
                       kOurs,
                       {0.0, bytes},
                       [=] {
                         const auto arrays =
                             std::make_shared<GatherArrays<decltype(ctx)>>(ctx, shape, kPictures);
                         return [=] { arrays->run(); };
                       },
                       [=] { return check(ctx, shape); }});
          }
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
