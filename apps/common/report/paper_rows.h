// The rows of the paper's table (Ganin et al., JMLR 17 (2016), table 2), by the names of --mode and
// JSON: the bounds between which every method is judged.
#pragma once

#include <string>

namespace gradflip {

inline const std::string kSourceOnly = "source-only";
inline const std::string kDann = "dann";
inline const std::string kTargetOnly = "target-only";  // its labels, which no method may have

}  // namespace gradflip
