// Some of the parameters, by the parts of their names, and what an update does with each run of the
// flat blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/update_kinds.h"
#include "runtime/parameters.h"

namespace gradflip {

// Parts of a network: {"feature_extractor", "label_predictor.fc3"}. Empty: all of it.
using ParameterGroup = std::vector<std::string>;

// Whether one of the parts is the name, or its beginning up to a dot.
bool belongs_to(std::string_view name, const ParameterGroup& group);

// Whether `part` is a word, or several, of the name between dots: "bias" and "norm1" are of
// "feature_extractor.norm1.bias", "norm" is not.
bool has_part(std::string_view name, std::string_view part);

// The kind of each run of the flat blocks, for an update over `group`: kNone outside of it and
// where nothing is trained, kWithoutDecay where the parameter's name has one of the parts of
// `without_decay`. Empty where every parameter is updated in full: kernels then take null. Throws
// std::invalid_argument for a part of the group that no parameter belongs to, and for a group
// without anything to train.
std::vector<UpdateKind> update_kinds(const Parameters& parameters, const ParameterGroup& group,
                                     const std::vector<std::string>& without_decay = {});

}  // namespace gradflip
