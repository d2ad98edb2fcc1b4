#include "apps/dann_mnist/data_sources.h"

#include <fmt/format.h>

#include <utility>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/drawn_digits.h"
#include "apps/common/data/fit_to.h"
#include "apps/common/data/full_ink.h"
#include "apps/common/data/mnist_m.h"
#include "apps/dann_mnist/data_notes.h"
#include "models/networks/paper_mnist.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// --seed varies training, never the data: runs with different seeds are runs on the same pictures.
constexpr std::uint64_t kBlendSeed = 0;

LabelledImages fitted(LabelledImages data, const std::string& name) {
  data.images = fit_to(std::move(data.images), kImageSize, name);
  return data;
}

class Loader {
 public:
  Loader(const DataArguments& arguments, bool with_target_labels,
         const std::function<void()>& between_parts)
      : arguments_(arguments),
        with_target_labels_(with_target_labels),
        between_parts_(between_parts) {}

  LoadedData load() {
    if (arguments_.builtin()) {
      draw();
    } else if (arguments_.target) {
      read_source();
      read_target_training(*arguments_.target);
      read_target_test(*arguments_.target);
    } else {
      blend();
    }
    between_parts_();
    describe();
    return std::move(loaded_);
  }

 private:
  void draw() {
    between_parts_();
    DrawnDigits drawn = draw_digits();
    data_.source_train = inked(std::move(drawn.source_train));
    data_.source_test = inked(std::move(drawn.source_test));
    take_target(std::move(drawn.target_train), std::move(drawn.target_test));
    data_.source_name = "drawn digits";
    data_.target_name = "drawn digits over textures";
  }

  // A set as it is stored, with notes about what is odd in it.
  template <typename Set>
  Set read(Set (*reader)(const fs::path&), const fs::path& folder, const char* part) {
    between_parts_();
    Set set = reader(folder);
    note_oddities(set, folder.string(), part, data_.notes);
    return set;
  }

  // The source's pictures as the recipe has them.
  LabelledImages inked(LabelledImages set) const {
    if (arguments_.source_ink == SourceInk::kFull) fill_ink(set.images);
    return set;
  }

  void read_source() {
    const fs::path& folder = *arguments_.source;
    data_.source_name = folder.string();
    data_.source_train = fitted(inked(read(read_train, folder, "training")), data_.source_name);
    data_.source_test = fitted(inked(read(read_test, folder, "test")), data_.source_name);
  }

  // Blended at the digits' own size and fitted afterwards: `gradflip data mnist-m` makes the same.
  void blend() {
    const fs::path& folder = *arguments_.source;
    data_.source_name = folder.string();
    LabelledImages train = read(read_train, folder, "training");
    LabelledImages test = read(read_test, folder, "test");
    require_grey(train, folder.string());
    require_grey(test, folder.string());
    train = inked(std::move(train));
    test = inked(std::move(test));
    // Before the photographs, which take longer than to find out that the digits do not fit.
    data_.source_train = fitted(train, data_.source_name);
    data_.source_test = fitted(test, data_.source_name);

    between_parts_();
    const Blend formula = *arguments_.blend == "difference" ? Blend::kDifference : Blend::kInvert;
    const Photographs photographs = list_photographs(*arguments_.photos, formula);
    data_.notes.insert(data_.notes.end(), photographs.notes.begin(), photographs.notes.end());
    between_parts_();
    data_.target_name = fmt::format("{} blended with {} ({})", folder.string(),
                                    arguments_.photos->string(), *arguments_.blend);
    MnistM made = build_mnist_m(train, test, photographs, formula, kBlendSeed, between_parts_);
    take_target(fitted(std::move(made.train), data_.target_name),
                fitted(std::move(made.test), data_.target_name));
  }

  void take_target(LabelledImages train, LabelledImages test) {
    if (with_target_labels_) {
      data_.target_train = train.without_labels();
      loaded_.labelled_target = std::move(train);
    } else {
      data_.target_train = {std::move(train.images)};
    }
    data_.target_test = std::move(test);
  }

  void read_target_training(const fs::path& folder) {
    data_.target_name = folder.string();
    if (with_target_labels_ && has_train_labels(folder)) {
      loaded_.labelled_target = read_labelled_training(folder);
      data_.target_train = loaded_.labelled_target->without_labels();
      return;
    }
    UnlabelledImages target = read(read_train_unlabelled, folder, "training");
    data_.target_train = {fit_to(std::move(target.images), kImageSize, data_.target_name)};
  }

  LabelledImages read_labelled_training(const fs::path& folder) {
    LabelledImages set;
    try {
      set = read(read_train, folder, "training");
    } catch (const DataError& error) {
      read_train_unlabelled(folder);  // what is wrong with the pictures is wrong for every mode
      throw DataError(
          fmt::format("{}; only target-only learns from these labels, and --mode dann "
                      "does without",
                      error.what()));
    }
    return fitted(std::move(set), folder.string());
  }

  void read_target_test(const fs::path& folder) {
    if (arguments_.target_test) {
      read_other_test(*arguments_.target_test);
    } else if (has_test_labels(folder)) {
      data_.target_test = fitted(read(read_test, folder, "test"), folder.string());
    } else if (has_test(folder) && has_train_labels(folder)) {
      // Half a download, most likely, and no reason to measure on the training part in silence.
      throw DataError(
          fmt::format("{}: its training pictures have labels, and its test pictures have none; "
                      "fetch its test labels, or name another test set with --target-test",
                      folder.string()));
    } else if (has_train_labels(folder)) {
      data_.target_test = loaded_.labelled_target
                              ? *loaded_.labelled_target
                              : fitted(read(read_train, folder, "training"), folder.string());
    } else {
      data_.notes.push_back(
          fmt::format("{} has no labels: no accuracy on the target; --target-test DIR names "
                      "labelled pictures to measure on",
                      folder.string()));
    }
  }

  void read_other_test(const fs::path& folder) {
    data_.target_name += ", measured on " + folder.string();
    if (has_test(folder)) {
      data_.target_test = fitted(read(read_test, folder, "test"), folder.string());
      return;
    }
    data_.target_test = fitted(read(read_train, folder, "training"), folder.string());
    data_.notes.push_back(fmt::format(
        "--target-test {} has no test part: measured on its training part", folder.string()));
  }

  // Once all pictures are there, as the network takes them.
  void describe() {
    data_.transductive = note_shared_pictures(data_);
    const Images& source = data_.source_train.images;
    const Images& target = data_.target_train.images;
    data_.channel_means = channel_means({&source, &target}, kImageChannels);
    data_.source = description(data_.source_name, source, content_sha256(data_.source_train),
                               &data_.source_test);
    data_.target = description(data_.target_name, target, content_sha256(target),
                               data_.target_test ? &*data_.target_test : nullptr);
    data_.target["transductive"] = data_.transductive;
  }

  static Json description(const std::string& name, const Images& train,
                          const std::string& train_sha256, const LabelledImages* test) {
    Json json = {{"name", name},
                 {"train_images", train.count},
                 {"test_images", test == nullptr ? 0 : test->images.count},
                 {"height", train.height},
                 {"width", train.width},
                 {"channels", train.channels},
                 {"sha256", train_sha256}};
    if (test != nullptr) json["test_sha256"] = content_sha256(*test);
    return json;
  }

  const DataArguments& arguments_;
  bool with_target_labels_;
  const std::function<void()>& between_parts_;
  LoadedData loaded_;
  ExperimentData& data_ = loaded_.experiment;
};

}  // namespace

LoadedData load_data(const DataArguments& arguments, bool with_target_labels,
                     const std::function<void()>& between_parts) {
  return Loader(arguments, with_target_labels, between_parts).load();
}

}  // namespace gradflip
