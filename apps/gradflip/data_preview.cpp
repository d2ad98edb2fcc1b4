#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/drawn_digits.h"
#include "apps/common/data/fit_to.h"
#include "apps/common/data/png_file.h"
#include "apps/common/number_option.h"
#include "apps/common/report/contact_sheet.h"
#include "apps/common/run/output_file.h"
#include "apps/common/shown.h"
#include "apps/common/usage_error.h"
#include "apps/gradflip/commands.h"
#include "kernels/augment.h"
#include "models/augmentation.h"
#include "models/networks/paper_mnist.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr const char* kBuiltIn = "built-in";
constexpr std::int64_t kColours = 3;

struct PreviewOptions {
  std::string data, augment, out;
  std::int64_t count = 2, views = 8, seed = 0;
};

// `count` pictures from all over the set, as training would see them: of the network's size where
// they can be brought to it, in colour.
Images chosen_pictures(const PreviewOptions& options) {
  Images set;
  if (options.data == kBuiltIn) {
    DrawnDigits drawn = draw_digits({.train_count = options.count, .test_count = 0});
    set = std::move(drawn.target_train.images);
  } else {
    set = read_train_unlabelled(options.data).images;
  }
  if (set.count == 0) throw DataError(options.data + ": there is no picture in it");
  if (fit_of(set.height, set.width, kImageSize) != Fit::kRefused) {
    set = fit_to(std::move(set), kImageSize, options.data);
  }
  Images chosen{options.count, set.height, set.width, kColours, {}};
  for (std::int64_t n = 0; n < options.count; ++n) {
    const std::int64_t index = n * set.count / options.count;
    const std::uint8_t* picture = set.pixels.data() + index * set.bytes_per_image();
    for (std::int64_t pixel = 0; pixel < set.pixels_per_image(); ++pixel) {
      for (std::int64_t c = 0; c < kColours; ++c) {
        chosen.pixels.push_back(picture[pixel * set.channels + (set.channels == 1 ? 0 : c)]);
      }
    }
  }
  return chosen;
}

// Rows of a picture and its views.
SheetSection section_of(const Images& pictures, const Augmentation& augmentation, std::string title,
                        const PreviewOptions& options) {
  const AugmentProgram program = augment_program(augmentation);
  const AugmentShape shape{.count = 1,
                           .H = pictures.height,
                           .W = pictures.width,
                           .stored_channels = kColours,
                           .channels = kColours};
  std::vector<std::uint8_t> workspace(
      static_cast<std::size_t>(augment_workspace_bytes(Cpu{}, shape)));
  SheetSection section{std::move(title), options.views + 1, pictures};
  section.pictures.count = 0;
  section.pictures.pixels.clear();
  for (std::int64_t n = 0; n < pictures.count; ++n) {
    for (std::int64_t view = -1; view < options.views; ++view) {
      const std::int64_t step = 0;
      std::vector<std::uint8_t> made(static_cast<std::size_t>(shape.bytes()));
      augment(Cpu{},
              {.shape = shape,
               .draws = {.seed = static_cast<std::uint64_t>(options.seed),
                         .view = static_cast<std::uint32_t>(std::max<std::int64_t>(view, 0))},
               .row_begin = n,
               .step = &step,
               .images = pictures.pixels.data(),
               .indices = &n,
               .y = made.data()},
              view < 0 ? AugmentProgram{} : program, workspace.data());
      section.pictures.pixels.insert(section.pictures.pixels.end(), made.begin(), made.end());
      ++section.pictures.count;
    }
  }
  return section;
}

// The operations that stand in it, groups' members, too, each once.
std::vector<AugmentationStep> operations_of(const std::vector<AugmentationStep>& steps) {
  std::vector<AugmentationStep> operations;
  for (const AugmentationStep& step : steps) {
    if (step.kind == AugmentKind::kSome) {
      const std::vector<AugmentationStep> members = operations_of(step.members);
      operations.insert(operations.end(), members.begin(), members.end());
    } else {
      operations.push_back(step);
      operations.back().probability = 1.0;  // to be seen
    }
  }
  std::set<std::string> known;
  std::erase_if(operations,
                [&](const AugmentationStep& step) { return !known.insert(text_of(step)).second; });
  return operations;
}

std::vector<SheetSection> sections_of(const Augmentation& augmentation, const Images& pictures,
                                      const PreviewOptions& options) {
  std::vector<SheetSection> sections;
  const std::vector<AugmentationStep> operations = operations_of(augmentation.steps);
  const bool is_one_alone = augmentation.steps.size() == 1 && operations.size() == 1;
  for (const AugmentationStep& step : operations) {
    if (is_one_alone) break;
    sections.push_back(section_of(pictures, {{step}}, text_of(step), options));
  }
  sections.push_back(section_of(pictures, augmentation,
                                (is_one_alone ? "" : "All: ") + text_of(augmentation), options));
  return sections;
}

int preview(const PreviewOptions& options, const StopRequest& stop) {
  const Augmentation augmentation = as_usage([&] {
    try {
      return parse_augmentation(options.augment);
    } catch (const std::invalid_argument& error) {
      throw UsageError(std::string("--augment: ") + error.what());
    }
  });
  require_apart_from_streams("--out", options.out);
  require_writable(options.out);
  const Images pictures = chosen_pictures(options);
  const std::vector<SheetSection> sections = sections_of(augmentation, pictures, options);
  const SheetSize size = sheet_size(sections);
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 26;
  if (size.height * size.width > kMostPixels) {
    throw UsageError(
        fmt::format("--count {}, --views {}: the sheet would have {}x{} pixels; ask "
                    "for fewer",
                    options.count, options.views, size.width, size.height));
  }
  const std::vector<std::byte> file = png_of(contact_sheet(sections));
  if (stop.signal() != 0) {
    std::cerr << "stopped before anything was written\n";
    return 128 + stop.signal();
  }
  write_file_atomically(options.out, file);
  std::cout << fmt::format("{}  {}x{}  pictures {}  views {}  sections {}\n",
                           without_controls(options.out), size.width, size.height, options.count,
                           options.views, sections.size());
  return 0;
}

}  // namespace

void add_preview_command(CLI::App& data, Command* chosen) {
  CLI::App* command = data.add_subcommand(
      "preview", "A sheet of training pictures and what an augmentation makes of them");
  // The options outlive this function: `chosen` holds them.
  const auto options = std::make_shared<PreviewOptions>();
  command
      ->add_option("--data", options->data,
                   "folder of digits, or built-in: those that gradflip draws, over textures")
      ->required()
      ->type_name("DIR|built-in");
  command
      ->add_option("--augment", options->augment,
                   "none, weak, strong, or operations such as shift=3, flip@0.5 "
                   "(docs/augmentation.md); each is shown alone, and then all together")
      ->required()
      ->type_name("AUGMENTATION");
  command->add_option("--out", options->out, "PNG file to write")->required()->type_name("FILE");
  constexpr WholeRange kFew{.low = 1, .high = 64};
  add_whole_number(*command, "--count", kFew, options->count, "pictures in each section [2]");
  add_whole_number(*command, "--views", kFew, options->views, "of each picture [8]");
  constexpr WholeRange kSeeds{.low = 0};
  add_whole_number(*command, "--seed", kSeeds, options->seed, "of what is drawn [0]");
  command->callback([options, chosen] {
    *chosen = [options](const StopRequest& stop) { return preview(*options, stop); };
  });
}

}  // namespace gradflip
