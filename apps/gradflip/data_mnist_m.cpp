#include <fmt/format.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/mnist_m.h"
#include "apps/common/number_option.h"
#include "apps/common/run/output_file.h"
#include "apps/common/shown.h"
#include "apps/gradflip/commands.h"

namespace gradflip {
namespace {

struct MnistMOptions {
  std::string digits, photos, out;
  std::string blend;
  std::int64_t seed = 0;
};

const std::map<std::string, Blend> kBlends = {{"difference", Blend::kDifference},
                                              {"invert", Blend::kInvert}};

// A signal came before there was anything to write.
struct Interrupted {};

constexpr std::int64_t kChannels = 3;

MnistM made(const MnistMOptions& options, const StopRequest& stop) {
  const auto end_if_asked = [&] {
    if (stop.signal() != 0) throw Interrupted{};
  };
  const Blend blend = kBlends.at(options.blend);
  require_apart_from_streams("--out", options.out);
  for (const auto& file : digit_folder_files(options.out, kChannels)) {
    require_apart_from_streams("--out", file);
  }
  require_writable_digit_folder(options.out, kChannels);
  end_if_asked();
  const LabelledImages train_digits = read_train(options.digits);
  end_if_asked();
  const LabelledImages test_digits = read_test(options.digits);
  require_grey(train_digits, options.digits);
  require_grey(test_digits, options.digits);
  const Photographs photographs = list_photographs(options.photos, blend);
  for (const std::string& note : photographs.notes) {
    std::cerr << "note: " << without_controls(note) << "\n";
  }
  MnistM built =
      build_mnist_m(train_digits, test_digits, photographs, blend, options.seed, end_if_asked);
  end_if_asked();
  return built;
}

// All four files or none: once the first is begun, a signal waits for the last.
int build(const MnistMOptions& options, const StopRequest& stop) {
  try {
    const MnistM built = made(options, stop);
    write_digit_folder(options.out, built.train, built.test);
    for (const auto& [part, data] : {std::pair{"train", &built.train}, {"test", &built.test}}) {
      std::cout << fmt::format("{:<5}  {} pictures of {}x{}  sha256 {}  with labels {}\n", part,
                               data->images.count, data->images.height, data->images.width,
                               content_sha256(data->images), content_sha256(*data));
    }
    return 0;
  } catch (const Interrupted&) {
    std::cerr << "stopped before anything was written\n";
    return 128 + stop.signal();
  }
}

}  // namespace

void add_mnist_m_command(CLI::App& data, Command* chosen) {
  CLI::App* mnist_m = data.add_subcommand(
      "mnist-m", "MNIST-M: digits blended over patches of photographs, as a folder of digits");
  // The options outlive this function: `chosen` holds them.
  const auto options = std::make_shared<MnistMOptions>();
  mnist_m->add_option("--digits", options->digits, "folder with MNIST's four files")->required();
  mnist_m
      ->add_option("--photos", options->photos,
                   "folder of photographs (.jpg, .jpeg, .jpe, .jfif, .png), best with subfolders "
                   "train and test")
      ->required();
  mnist_m
      ->add_option("--blend", options->blend,
                   "difference: |photo - digit|, the paper's formula; invert: 255 - photo under "
                   "ink, as in the published files")
      ->required()
      ->check(CLI::IsMember(&kBlends));
  mnist_m->add_option("--out", options->out, "folder to write; made if missing")->required();
  constexpr WholeRange kSeeds{.low = 0};
  add_whole_number(*mnist_m, "--seed", kSeeds, options->seed, "chooses the patches [0]");
  mnist_m->callback([options, chosen] {
    *chosen = [options](const StopRequest& stop) { return build(*options, stop); };
  });
}

}  // namespace gradflip
