// What --mode may say: the methods of models/methods by name, and target-only.
#pragma once

#include <string>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "models/method.h"

namespace gradflip {

// All of them, in the order of a table's rows: target-only is the last.
std::vector<std::string> mode_names();

// "all", the paper's table with `method` between the bounds, or names with commas between them -> the modes, in the order of
// mode_names(). Throws UsageError that lists them.
std::vector<std::string> modes_of(const std::string& text, const std::string& method = kDann);
// And back.
std::string text_of(const std::vector<std::string>& modes, const std::string& method = kDann);

// How a mode trains. target-only is source-only, on the target's labelled pictures.
Method method_of(const std::string& mode);

}  // namespace gradflip
