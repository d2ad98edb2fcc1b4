#include "apps/dann_mnist/data_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "apps/common/data/picture_notes.h"
#include "models/networks/paper_mnist.h"

namespace gradflip {
namespace {

void add(std::vector<std::string>& notes, const std::optional<std::string>& note) {
  if (note && std::find(notes.begin(), notes.end(), *note) == notes.end()) notes.push_back(*note);
}

std::string_view bytes_of(const Images& images, std::int64_t n) {
  const auto bytes = static_cast<std::size_t>(images.bytes_per_image());
  return {reinterpret_cast<const char*>(images.pixels.data()) + static_cast<std::size_t>(n) * bytes,
          bytes};
}

// Grey pictures as the network takes them.
Images in_colour(const Images& grey) {
  Images colour = {grey.count, grey.height, grey.width, kImageChannels, {}};
  colour.pixels.reserve(grey.pixels.size() * static_cast<std::size_t>(kImageChannels));
  for (const std::uint8_t level : grey.pixels) {
    colour.pixels.insert(colour.pixels.end(), static_cast<std::size_t>(kImageChannels), level);
  }
  return colour;
}

void note_oddities(const Images& images, const std::string& name, const std::string& part,
                   std::vector<std::string>& notes) {
  add(notes, fit_note(images, kImageSize, name));
  add(notes, alike_note(images, fmt::format("{}, {} part", name, part)));
}

}  // namespace

void note_oddities(const UnlabelledImages& set, const std::string& name, const std::string& part,
                   std::vector<std::string>& notes) {
  note_oddities(set.images, name, part, notes);
}

void note_oddities(const LabelledImages& set, const std::string& name, const std::string& part,
                   std::vector<std::string>& notes) {
  note_oddities(set.images, name, part, notes);
  add(notes, missing_classes_note(set, fmt::format("{}, {} part", name, part)));
}

std::int64_t shared_pictures(const Images& of, const Images& in) {
  if (of.height != in.height || of.width != in.width) return 0;
  if (of.channels < in.channels) return shared_pictures(in_colour(of), in);
  if (of.channels > in.channels) return shared_pictures(of, in_colour(in));
  std::unordered_set<std::string_view> known;
  known.reserve(static_cast<std::size_t>(in.count));
  for (std::int64_t n = 0; n < in.count; ++n) known.insert(bytes_of(in, n));
  std::int64_t shared = 0;
  for (std::int64_t n = 0; n < of.count; ++n) shared += known.contains(bytes_of(of, n)) ? 1 : 0;
  return shared;
}

bool note_shared_pictures(ExperimentData& data) {
  const auto note = [&](const std::string& whose, const Images& test, std::int64_t shared,
                        const std::string& what) {
    if (shared == 0) return;
    data.notes.push_back(fmt::format("{} of the {}'s {} test pictures {} {}",
                                     shared == test.count ? "all" : fmt::format("{}", shared),
                                     whose, test.count, shared == 1 ? "is one of" : "are among",
                                     what));
  };
  const Images &source_train = data.source_train.images, &source_test = data.source_test.images;
  note("source", source_test, shared_pictures(source_test, source_train), "its training pictures");
  if (!data.target_test) return false;
  const Images& test = data.target_test->images;
  note("target", test, shared_pictures(test, source_train), "the source's training pictures");
  note("target", test, shared_pictures(test, source_test), "the source's test pictures");
  const std::int64_t shared = shared_pictures(test, data.target_train.images);
  if (shared < test.count) {
    note("target", test, shared, "its training pictures");
    return false;
  }
  data.notes.push_back(
      "transductive: the target is scored on its training pictures; --target-test DIR names a "
      "test set of its own");
  return true;
}

}  // namespace gradflip
