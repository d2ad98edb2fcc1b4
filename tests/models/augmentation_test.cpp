// Augmentations as people write them: read, written, refused, and turned into programs.
#include "models/augmentation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "models/augmentation_table.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Kind = AugmentKind;

std::string written_again(const std::string& text) { return text_of(parse_augmentation(text)); }

AugmentOperation only_operation(const std::string& text) {
  const AugmentProgram program = augment_program(parse_augmentation(text));
  EXPECT_EQ(program.size, 1);
  return program.operations[0];
}

TEST(AugmentationTest, TextsComeBackAsTheyWereWritten) {
  for (const char* text : {"none",
                           "shift=3",
                           "shift=0",
                           "flip@0.5",
                           "flip@1",
                           "vflip@0.25",
                           "invert@0",
                           "rotate=30@0.5",
                           "rotate=90..90",
                           "rotate=-10..20",
                           "scale=0.75..1",
                           "scale=0.25",
                           "contrast=0.9",
                           "brightness=0.5..1.5",
                           "channels=0.3",
                           "solarize=1",
                           "posterize=4",
                           "posterize=2..3",
                           "blur=0.5",
                           "cutout=14",
                           "cutout=7..14",
                           "noise=0.1",
                           "shear=0.3",
                           "translate=0.1",
                           "1 of (invert)",
                           "2 of (contrast=0.9, invert, flip@0.5)@0.75",
                           "shift=3, 2 of (rotate=30, invert), cutout=14, 1 of (blur=1, noise=0.1)",
                           "rotate=0.1@0.1, rotate=1e-05"}) {
    EXPECT_EQ(written_again(text), text);
    EXPECT_EQ(parse_augmentation(written_again(text)), parse_augmentation(text));
  }
}

TEST(AugmentationTest, BlanksAndDefaultsMeanNothing) {
  EXPECT_EQ(written_again("  shift = 3 ,flip @ 0.5,2 of(invert,blur=1)  "),
            "shift=3, flip@0.5, 2 of (invert, blur=1)");
  EXPECT_EQ(written_again("shift=3@1"), "shift=3");
  EXPECT_EQ(written_again("solarize"), "solarize=1");
  EXPECT_EQ(written_again("scale= 0.75 .. 1"), "scale=0.75..1");
}

TEST(AugmentationTest, SetsStandForTheirOperations) {
  EXPECT_TRUE(parse_augmentation("none").steps.empty());
  EXPECT_EQ(written_again("weak"), "shift=3");
  EXPECT_EQ(written_again("weak, cutout=8"), "shift=3, cutout=8");
  EXPECT_EQ(written_again("none, weak"), "shift=3");
  for (const auto& [name, text] : augmentation_sets()) {
    EXPECT_EQ(written_again(name), text.empty() ? "none" : written_again(text));
  }
  const AugmentProgram strong = augment_program(parse_augmentation("strong"));
  EXPECT_EQ(strong.size, 14);
  EXPECT_EQ(strong.operations[1].kind, Kind::kSome);
  EXPECT_EQ(strong.operations[1].choose, 2);
  EXPECT_EQ(strong.operations[1].members, 11);
}

TEST(AugmentationTest, RangesBecomeTheKernelsNumbers) {
  const auto expect_range = [](const char* text, Kind kind, std::int32_t low, std::int32_t high) {
    const AugmentOperation operation = only_operation(text);
    EXPECT_EQ(operation.kind, kind) << text;
    EXPECT_EQ(operation.low, low) << text;
    EXPECT_EQ(operation.high, high) << text;
    EXPECT_EQ(operation.probability, kAlwaysAugment) << text;
  };
  expect_range("shift=3", Kind::kShift, -3, 3);
  expect_range("flip@1", Kind::kFlipHorizontal, 0, 0);
  expect_range("vflip@1", Kind::kFlipVertical, 0, 0);
  expect_range("invert@1", Kind::kInvert, 0, 0);
  expect_range("rotate=90", Kind::kRotate, -16'384, 16'384);
  expect_range("shear=0.5", Kind::kShear, -32'768, 32'768);
  expect_range("translate=0.25", Kind::kTranslate, -16'384, 16'384);
  expect_range("scale=0.75..1", Kind::kScale, 49'152, 65'536);
  expect_range("scale=0.25", Kind::kScale, 49'152, 81'920);
  expect_range("contrast=0.9", Kind::kContrast, 6'554, 124'518);
  expect_range("brightness=1", Kind::kBrightness, 0, 131'072);
  expect_range("channels=0.5", Kind::kChannels, -32'768, 32'768);
  expect_range("solarize=0.5", Kind::kSolarize, 0, 128);
  expect_range("posterize=4", Kind::kPosterize, 0, 4);
  expect_range("blur=1", Kind::kBlur, 0, 256);
  expect_range("cutout=14", Kind::kCutout, 14, 14);
  expect_range("noise=0.1", Kind::kNoise, 0, 6'554);
  EXPECT_EQ(only_operation("invert@0.25").probability, kAlwaysAugment / 4);
}

// Whatever is allowed here is allowed there.
TEST(AugmentationTest, TheTablesBoundsAreWithinTheKernels) {
  for (const AugmentationName& name : augmentation_names()) {
    if (!name.has_range()) continue;
    for (const double bound : {name.least, name.most}) {
      AugmentationStep step;
      step.kind = name.kind;
      step.low = step.high = bound;
      step.is_interval = true;
      EXPECT_NO_THROW(augment_program({{step}})) << name.name << ' ' << bound;
    }
  }
}

TEST(AugmentationTest, MistakesAreToldWithWhatIsAllowed) {
  const auto refuses = [](const std::string& text, const char* told) {
    EXPECT_THAT([&] { parse_augmentation(text); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)))
        << text;
  };
  refuses("", "it is empty; write none");
  refuses("rotat=30",
          "\"rotat=30\": there is no operation \"rotat\"; choose of shift, flip, vflip");
  refuses("medium", "or a set: none, weak, strong");
  refuses("shift=3,,flip@1", "nothing on one side of a comma");
  refuses("shift=3,", "nothing on one side of a comma");
  refuses("shift", "shift needs a range: shift=3");
  refuses("shift=", "\"\" in \"shift=\" is no number");
  refuses("shift=2.5", "shift takes pixels from 0 up, or low..high from -16384 to 16384, whole");
  refuses("shift=-2", "shift takes pixels from 0 up");
  refuses("rotate=181", "rotate takes degrees from 0 to 180, or low..high from -180 to 180");
  refuses("rotate=20..10", "rotate takes degrees");
  refuses("rotate=nan", "\"nan\" in \"rotate=nan\" is no number");
  refuses("rotate=3o", "\"3o\" in \"rotate=3o\" is no number");
  refuses("scale=1", "scale takes a range from 0 to 0.9375 about 1");
  refuses("contrast=1.5", "contrast takes a range from 0 to 1 about 1");
  refuses("posterize=8", "posterize takes bits from 0 to 7");
  refuses("flip", "flip needs a probability: flip@0.5 applies it to every second picture");
  refuses("invert", "invert needs a probability");
  refuses("flip=3@0.5", "flip has no range");
  refuses("flip@1.5", "\"flip@1.5\": a probability is 0 to 1");
  refuses("flip@", "is no number");
  refuses("2 of (invert", "a parenthesis too many");
  refuses("2 of invert)", "a parenthesis too many");
  refuses("2 of (invert, 1 of (flip, vflip))", "a group in a group");
  refuses("3 of (invert, flip)", "takes 3 of 2; 1 to all can be taken");
  refuses("0 of (invert, flip)", "takes 0 of 2");
  refuses("two of (invert, flip)", "is no group; write 2 of (contrast=0.9");
  refuses("(invert, flip)", "is no group");
  refuses("2 of (invert, weak)", "there is no operation \"weak\"");
  refuses("2 of ()", "nothing on one side of a comma");
  refuses("1 of (invert) x", "is no group");
  std::string many = "shift=1";
  for (int i = 0; i < 40; ++i) many += ", shift=1";
  refuses(many, "at most 40 operations");
  std::string wide = "1 of (shift=1";
  for (int i = 0; i < 16; ++i) wide += ", shift=1";
  refuses(wide + ")", "takes 1 of 17");
}

}  // namespace
}  // namespace gradflip
