#include "benchmarks/support/suite.h"

#include "models/options.h"

namespace gradflip::bench {

std::string full_name(const Case& one) {
  return one.op + "/" + one.shape + "/" + std::to_string(one.batch) + "/" + name_of(one.math) +
         "/" + one.library;
}

}  // namespace gradflip::bench
