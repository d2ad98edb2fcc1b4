// Every backend gives the bits of the reference, whatever the rows are computed with.
#include "kernels/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <type_traits>

#include "tests/kernels/simd_targets.h"
#include "tests/support/augment_programs.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/augment.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Kind = AugmentKind;

constexpr std::int64_t kStoredPictures = 5;
constexpr std::int64_t kAugmentedStep = (std::int64_t{3} << 32) + 17;
constexpr AugmentDraws kTestDraws{.seed = 0x0123456789ABCDEFU, .stream = 1, .view = 2};

constexpr AugmentShape kAugmentShapes[] = {
    {.count = 0, .H = 4, .W = 4, .stored_channels = 1, .channels = 1},
    {.count = 3, .H = 5, .W = 7, .stored_channels = 3, .channels = 3},
    {.count = 2, .H = 9, .W = 6, .stored_channels = 1, .channels = 3},
    {.count = 2, .H = 1, .W = 1, .stored_channels = 1, .channels = 1},
    {.count = 2, .H = 1, .W = 8, .stored_channels = 2, .channels = 2},
    {.count = 2, .H = 11, .W = 2, .stored_channels = 1, .channels = 4},
    {.count = 2, .H = 3, .W = 17, .stored_channels = 4, .channels = 4},
    {.count = 1, .H = 19, .W = 16, .stored_channels = 1, .channels = 1},
};

std::vector<std::int64_t> some_indices(std::int64_t count) {
  const std::vector<std::int32_t> labels = random_labels(count, kStoredPictures, 1);
  return {labels.begin(), labels.end()};
}

template <typename Ctx>
class AugmentTest : public BackendTest<Ctx> {
 protected:
  // A context whose blocks have so little shared memory that pictures do not fit.
  Ctx scant() {
    Ctx ctx = this->ctx();
    if constexpr (!std::is_same_v<Ctx, Cpu>) {
      scant_ = *ctx.gpu;
      scant_.block_shared_bytes = 1024;
      ctx.gpu = &scant_;
    }
    return ctx;
  }

  std::vector<std::uint8_t> augmented(Ctx ctx, const AugmentShape& shape,
                                      const AugmentProgram& program,
                                      const std::vector<std::uint8_t>& images,
                                      const std::vector<std::int64_t>& indices,
                                      std::int64_t row_begin, Base base = Base::kAligned) {
    const auto stored = this->upload(images, base);
    const auto picked = this->upload(indices);
    const auto step = this->upload(std::vector<std::int64_t>{kAugmentedStep});
    auto y = this->template poisoned<std::uint8_t>(shape.count * shape.bytes(), base);
    auto workspace = this->template poisoned<std::uint8_t>(augment_workspace_bytes(ctx, shape));
    augment(ctx,
            {.shape = shape,
             .draws = kTestDraws,
             .row_begin = row_begin,
             .step = step.data(),
             .images = stored.data(),
             .indices = picked.data(),
             .y = y.data()},
            program, workspace.data());
    return y.read();
  }

  void expect_reference(Ctx ctx, const AugmentShape& shape, const AugmentProgram& program,
                        Base base) {
    constexpr std::int64_t kRowBegin = 6;
    const auto images =
        random_bytes(kStoredPictures * shape.H * shape.W * shape.stored_channels, 2);
    const auto indices = some_indices(shape.count);
    EXPECT_EQ(augmented(ctx, shape, program, images, indices, kRowBegin, base),
              reference::augmented(shape, program, kTestDraws, kAugmentedStep, kRowBegin, images,
                                   indices));
  }

 private:
  GpuTraits scant_;
};
TYPED_TEST_SUITE(AugmentTest, Backends, BackendNames);

TYPED_TEST(AugmentTest, EveryOperationMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const AugmentShape& shape : kAugmentShapes) {
      for (const AugmentOperation& operation : augment_kinds()) {
        SCOPED_TRACE(testing::Message() << shape.count << ' ' << shape.H << 'x' << shape.W << ' '
                                        << shape.stored_channels << ' ' << shape.channels
                                        << " kind " << static_cast<int>(operation.kind));
        this->expect_reference(this->ctx(), shape, program_of({operation}), Base::kAligned);
      }
    }
  });
}

TYPED_TEST(AugmentTest, ProgramsMatchReference) {
  std::vector<AugmentOperation> everything = augment_kinds();
  std::vector<AugmentOperation> most = {augment_group(5, 16)};
  for (AugmentOperation& operation : everything) {
    operation.probability = 3 * kAlwaysAugment / 4;
    most.push_back(operation);
  }
  const std::vector<AugmentProgram> programs = {program_of({}), program_of(everything),
                                                program_of(most), strong_augmentation()};
  constexpr AugmentShape kShapes[] = {
      {.count = 4, .H = 13, .W = 10, .stored_channels = 3, .channels = 3},
      {.count = 2, .H = 28, .W = 28, .stored_channels = 1, .channels = 3}};
  for_each_simd_target<TypeParam>([&] {
    for (const AugmentShape& shape : kShapes) {
      for (const AugmentProgram& program : programs) {
        SCOPED_TRACE(program.size);
        this->expect_reference(this->ctx(), shape, program, Base::kOffByOne);
      }
    }
  });
}

TYPED_TEST(AugmentTest, PicturesThatDoNotFitIntoABlockMatchReference) {
  constexpr AugmentShape kShape{.count = 3, .H = 13, .W = 17, .stored_channels = 3, .channels = 3};
  this->expect_reference(this->scant(), kShape, strong_augmentation(), Base::kAligned);
}

TYPED_TEST(AugmentTest, ARowDoesNotDependOnTheOthers) {
  constexpr AugmentShape kWhole{.count = 5, .H = 9, .W = 8, .stored_channels = 3, .channels = 3};
  const auto images = random_bytes(kStoredPictures * kWhole.bytes(), 3);
  const auto indices = some_indices(kWhole.count);
  const auto whole =
      this->augmented(this->ctx(), kWhole, strong_augmentation(), images, indices, 0);
  std::vector<std::uint8_t> parts;
  for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 3}, std::pair{3, 5}}) {
    AugmentShape shape = kWhole;
    shape.count = end - begin;
    const auto part = this->augmented(this->ctx(), shape, strong_augmentation(), images,
                                      {indices.begin() + begin, indices.begin() + end}, begin);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(parts, whole);
}

TYPED_TEST(AugmentTest, RefusesBadArguments) {
  constexpr AugmentShape kGood{.count = 0, .H = 4, .W = 4, .stored_channels = 1, .channels = 1};
  const auto refuses = [this](const AugmentShape& shape, const AugmentDraws& draws,
                              const std::vector<AugmentOperation>& operations, const char* text) {
    AugmentRows rows;
    rows.shape = shape;
    rows.draws = draws;
    EXPECT_THAT([&] { augment(this->ctx(), rows, program_of(operations), nullptr); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(text)));
  };
  AugmentShape bad = kGood;
  bad.count = -1;
  refuses(bad, {}, {}, "-1 pictures of 4x4");
  bad = kGood;
  bad.W = 0;
  refuses(bad, {}, {}, "pictures of 4x0");
  bad = kGood;
  bad.stored_channels = bad.channels = 5;
  refuses(bad, {}, {}, "pictures of 5 channels for 5");
  bad.stored_channels = 3;
  bad.channels = 4;
  refuses(bad, {}, {}, "pictures of 3 channels for 4");
  refuses(kGood, {.view = 256}, {}, "view 256 must be below 256");
  refuses(kGood, {}, {augment_operation(Kind::kScale, 0, 65'536)}, "draws from [0, 65536]");
  refuses(kGood, {}, {augment_operation(Kind::kShift, 2, 1)}, "draws from [2, 1]");
  refuses(kGood, {}, {augment_operation(Kind::kInvert, 0, 0, 65'537)}, "the probability 65537");
  refuses(kGood, {}, {augment_group(1, 1)}, "chooses 1 of 1");
  refuses(kGood, {}, {augment_group(2, 1), augment_operation(Kind::kInvert, 0, 0)},
          "chooses 2 of 1");
  refuses(kGood, {},
          {augment_group(1, 2), augment_group(1, 1), augment_operation(Kind::kInvert, 0, 0)},
          "group 1 stands in another");
  AugmentProgram long_one = program_of({});
  long_one.size = AugmentProgram::kMaxSize + 1;
  AugmentRows rows;
  rows.shape = kGood;
  EXPECT_THAT([&] { augment(this->ctx(), rows, long_one, nullptr); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("a program of 41 operations")));
}

}  // namespace
}  // namespace gradflip
