// What the user should know about a set of pictures before anything is learned from it. Each
// function has one line to say about the set that `what` names, or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/data/domain_data.h"

namespace gradflip {

// What fit_to(images, size) will do to them: cropped, enlarged, stretched because they are not
// square. Nothing for pictures of that size, and for those that it refuses.
std::optional<std::string> fit_note(const Images& images, std::int64_t size,
                                    const std::string& what);

// All of them blank (one colour each), or several that are all the same picture: nothing can be
// learned from either.
std::optional<std::string> alike_note(const Images& images, const std::string& what);

// The classes below num_classes that no picture has.
std::optional<std::string> missing_classes_note(const LabelledImages& data,
                                                const std::string& what);

}  // namespace gradflip
