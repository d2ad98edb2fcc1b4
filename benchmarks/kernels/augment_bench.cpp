// Augmentation of a batch of coloured pictures: as digits are trained with, and each operation
// alone, behind the copy that all of them have.
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/augment.h"
#include "tests/support/augment_programs.h"
#include "tests/support/reference/augment.h"

namespace gradflip::bench {
namespace {

constexpr std::int64_t kAugmentedPictures = 8192;  // of the data set: more than caches hold
constexpr AugmentDraws kAugmentDraws{.seed = 1};

std::vector<std::int64_t> augmented_indices(std::int64_t count, std::int64_t pictures) {
  std::vector<std::int64_t> indices;
  for (const std::int32_t index : random_labels(count, pictures, 1)) indices.push_back(index);
  return indices;
}

template <typename Ctx>
struct AugmentArrays {
  AugmentArrays(Ctx ctx, const AugmentShape& augment_shape, const AugmentProgram& operations,
                std::int64_t pictures)
      : context(ctx),
        shape(augment_shape),
        program(operations),
        images(ctx, random_bytes(pictures * shape.bytes(), 2)),
        indices(ctx, augmented_indices(shape.count, pictures)),
        step(ctx, std::vector<std::int64_t>{3}),
        y(ctx, shape.count * shape.bytes()),
        workspace(ctx, augment_workspace_bytes(ctx, shape)) {}

  void run() const {
    augment(context,
            {.shape = shape,
             .draws = kAugmentDraws,
             .step = step.data(),
             .images = images.data(),
             .indices = indices.data(),
             .y = y.data()},
            program, workspace.data());
  }

  Ctx context;
  AugmentShape shape;
  AugmentProgram program;
  Array<std::uint8_t> images;
  Array<std::int64_t> indices, step;
  Array<std::uint8_t> y, workspace;
};

template <typename Ctx>
std::string check_augment(Ctx ctx, AugmentShape shape, const AugmentProgram& program) {
  shape.count = 5;
  const AugmentArrays<Ctx> arrays(ctx, shape, program, 7);
  arrays.run();
  const bool same =
      arrays.y.read() == reference::augmented(shape, program, kAugmentDraws, 3, 0,
                                              arrays.images.read(), arrays.indices.read());
  return same ? "" : "y differs from the reference";
}

struct NamedProgram {
  const char* name;
  AugmentProgram program;
};

std::vector<NamedProgram> augment_programs() {
  std::vector<NamedProgram> programs = {{"strong", strong_augmentation()},
                                        {"none", program_of({})}};
  constexpr const char* kNames[] = {"shift",      "flip",      "vflip",  "rotate",
                                    "shear",      "translate", "scale",  "contrast",
                                    "brightness", "channels",  "invert", "solarize",
                                    "posterize",  "blur",      "cutout", "noise"};
  std::size_t name = 0;
  for (const AugmentOperation& operation : augment_kinds()) {
    programs.push_back({kNames[name++], program_of({operation})});
  }
  return programs;
}

}  // namespace

void add_augment_cases(Suite& suite) {
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          for (const auto& [name, program] : augment_programs()) {
            const AugmentShape shape{.count = batch,
                                     .H = suite.shapes.image_size,
                                     .W = suite.shapes.image_size,
                                     .stored_channels = suite.shapes.image_channels,
                                     .channels = suite.shapes.image_channels};
            suite.add({"augment",
                       name,
                       batch,
                       Math::kF32,
                       kOurs,
                       {0.0, static_cast<double>(batch * (2 * shape.bytes() + 8))},
                       [=, program = program] {
                         const auto arrays = std::make_shared<AugmentArrays<decltype(ctx)>>(
                             ctx, shape, program, kAugmentedPictures);
                         return [=] { arrays->run(); };
                       },
                       [=, program = program] { return check_augment(ctx, shape, program); }});
          }
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
