// What --mode may say: the methods of models/methods by name, and target-only.
#pragma once

#include <string>
#include <vector>

#include "models/method.h"

namespace gradflip {

// All of them, in the order of a table's rows: target-only is the last.
std::vector<std::string> mode_names();

// "all", the paper's table, or names with commas between them -> the modes, in the order of
// mode_names(). Throws UsageError that lists them.
std::vector<std::string> modes_of(const std::string& text);
// And back.
std::string text_of(const std::vector<std::string>& modes);

// How a mode trains. target-only is source-only, on the target's labelled pictures.
Method method_of(const std::string& mode);

}  // namespace gradflip
