#include "apps/dann_mnist/data_sources.h"

#include <fmt/format.h>

#include <utility>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/drawn_digits.h"
#include "apps/common/data/mnist_m.h"
#include "models/dann.h"

namespace gradflip {
namespace {

using Json = nlohmann::ordered_json;

// --seed varies training, never the data: runs with different seeds are runs on the same pictures.
constexpr std::uint64_t kBlendSeed = 0;

Images fitted(Images images, const std::filesystem::path& folder) {
  return fit_to(std::move(images), kImageSize, folder.string());
}

LabelledImages fitted(LabelledImages data, const std::filesystem::path& folder) {
  data.images = fitted(std::move(data.images), folder);
  return data;
}

Blend blend_of(const std::string& name) {
  return name == "difference" ? Blend::kDifference : Blend::kInvert;
}

LabelledImages test_part_or_all(const std::filesystem::path& folder) {
  return fitted(has_test(folder) ? read_test(folder) : read_train(folder), folder);
}

void load_builtin(ExperimentData& data) {
  DrawnDigits drawn = draw_digits();
  data.source_train = std::move(drawn.source_train);
  data.source_test = std::move(drawn.source_test);
  data.target_train = {std::move(drawn.target_train.images)};
  data.target_test = std::move(drawn.target_test);
  data.source_name = "drawn digits";
  data.target_name = "drawn digits over textures";
}

void load_source_folder(const DataArguments& arguments, ExperimentData& data) {
  data.source_train = fitted(read_train(arguments.source), arguments.source);
  data.source_test = fitted(read_test(arguments.source), arguments.source);
  data.source_name = arguments.source.string();
}

MnistM blend(const DataArguments& arguments, const LabelledImages& train_digits,
             const LabelledImages& test_digits, std::vector<std::string>& notes) {
  const Photographs photographs = read_photographs(arguments.photos, blend_of(arguments.blend));
  if (!photographs.note.empty()) notes.push_back(photographs.note);
  return build_mnist_m(train_digits, test_digits, photographs, blend_of(arguments.blend),
                       kBlendSeed);
}

void load_blended_target(const DataArguments& arguments, ExperimentData& data) {
  MnistM made = blend(arguments, data.source_train, data.source_test, data.notes);
  data.target_train = {std::move(made.train.images)};
  data.target_test = std::move(made.test);
  data.target_name = fmt::format("{} blended with {} ({})", arguments.source.string(),
                                 arguments.photos.string(), arguments.blend);
}

void load_target_folder(const DataArguments& arguments, ExperimentData& data) {
  const std::filesystem::path& folder = arguments.target;
  data.target_train = {fitted(read_train_unlabelled(folder).images, folder)};
  data.target_name = folder.string();
  if (!arguments.target_test.empty()) {
    data.target_test = test_part_or_all(arguments.target_test);
    data.target_name += ", measured on " + arguments.target_test.string();
  } else if (has_test(folder)) {
    data.target_test = fitted(read_test(folder), folder);
  } else {
    data.target_test = fitted(read_train(folder), folder);
    data.transductive = true;
    data.notes.push_back(
        "transductive: the target has no test part and is scored on its training pictures; "
        "--target-test DIR names a test set");
  }
}

// Sums are those of the pictures as the network takes them.
Json description(const std::string& name, const Images& train, const std::string& train_sha256,
                 const LabelledImages& test) {
  return {{"name", name},
          {"train_images", train.count},
          {"test_images", test.images.count},
          {"height", train.height},
          {"width", train.width},
          {"channels", train.channels},
          {"sha256", train_sha256},
          {"test_sha256", content_sha256(test)}};
}

}  // namespace

ExperimentData load_data(const DataArguments& arguments) {
  ExperimentData data;
  if (arguments.builtin()) {
    load_builtin(data);
  } else {
    load_source_folder(arguments, data);
    if (arguments.target.empty()) {
      load_blended_target(arguments, data);
    } else {
      load_target_folder(arguments, data);
    }
  }
  const Images& source = data.source_train.images;
  const Images& target = data.target_train.images;
  data.channel_means = channel_means({&source, &target}, kImageChannels);
  data.source =
      description(data.source_name, source, content_sha256(data.source_train), data.source_test);
  data.target = description(data.target_name, target, content_sha256(target), data.target_test);
  data.target["transductive"] = data.transductive;
  return data;
}

LabelledImages load_labelled_target(const DataArguments& arguments) {
  if (arguments.builtin()) return draw_digits().target_train;
  if (!arguments.target.empty()) return fitted(read_train(arguments.target), arguments.target);
  ExperimentData source;
  load_source_folder(arguments, source);
  return blend(arguments, source.source_train, source.source_test, source.notes).train;
}

}  // namespace gradflip
