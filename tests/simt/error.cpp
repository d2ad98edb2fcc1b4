#include "tests/simt/error.h"

namespace simt {

std::string text(Site site) { return std::string(site.file) + ":" + std::to_string(site.line); }

}  // namespace simt
