#include "apps/common/data/picture_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "apps/common/data/fit_to.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

using Pixel = std::vector<std::uint8_t>::const_iterator;

// Whether every pixel of the picture that starts at `first` has the colour of its first one.
bool is_blank(Pixel first, const Images& images) {
  const Pixel end = first + images.bytes_per_image();
  return std::equal(first + images.channels, end, first);
}

bool all_blank(const Images& images) {
  for (std::int64_t n = 0; n < images.count; ++n) {
    if (!is_blank(images.pixels.begin() + n * images.bytes_per_image(), images)) return false;
  }
  return true;
}

// Each picture equals the one before it.
bool all_the_same(const Images& images) {
  return std::equal(images.pixels.begin() + images.bytes_per_image(), images.pixels.end(),
                    images.pixels.begin());
}

// "0, 2, 5 to 9": runs of three and more as a range.
std::string in_words(const std::vector<std::int64_t>& ascending) {
  std::string text;
  for (std::size_t i = 0; i < ascending.size();) {
    std::size_t last = i;
    while (last + 1 < ascending.size() && ascending[last + 1] == ascending[last] + 1) ++last;
    if (last < i + 2) last = i;
    if (!text.empty()) text += ", ";
    text += last == i ? fmt::format("{}", ascending[i])
                      : fmt::format("{} to {}", ascending[i], ascending[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace

std::optional<std::string> fit_note(const Images& images, std::int64_t size,
                                    const std::string& what) {
  require_valid(images, what);
  const std::string change =
      fmt::format("{}: pictures of {}x{} are", what, images.height, images.width);
  switch (fit_of(images.height, images.width, size)) {
    case Fit::kCropped:
      return fmt::format("{} cropped to {}x{}: {} pixels a side are left out", change, size, size,
                         (images.height - size) / 2);
    case Fit::kEnlarged:
      return fmt::format("{} {} to {}x{}{}", change,
                         images.height == images.width ? "enlarged" : "stretched", size, size,
                         images.height == images.width ? "" : ", since they are not square");
    case Fit::kUnchanged:
    case Fit::kRefused:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> alike_note(const Images& images, const std::string& what) {
  require_valid(images, what);
  if (images.count == 0) return std::nullopt;
  if (all_blank(images)) {
    return images.count == 1 ? fmt::format("{}: its only picture is blank", what)
                             : fmt::format("{}: all {} pictures are blank", what, images.count);
  }
  if (images.count > 1 && all_the_same(images)) {
    return fmt::format("{}: all {} pictures are the same", what, images.count);
  }
  return std::nullopt;
}

std::optional<std::string> missing_classes_note(const LabelledImages& data,
                                                const std::string& what) {
  require_valid(data, what);
  std::vector<bool> seen(static_cast<std::size_t>(data.num_classes), false);
  for (const std::int32_t label : data.labels) seen[static_cast<std::size_t>(label)] = true;
  std::vector<std::int64_t> missing;
  for (std::int64_t label = 0; label < data.num_classes; ++label) {
    if (!seen[static_cast<std::size_t>(label)]) missing.push_back(label);
  }
  if (missing.empty()) return std::nullopt;
  return fmt::format("{}: no picture of {} ({} of {} classes are there)", what, in_words(missing),
                     data.num_classes - std::ssize(missing), data.num_classes);
}

}  // namespace gradflip
