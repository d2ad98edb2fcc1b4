#include "benchmarks/yardsticks/yardsticks.h"

namespace gradflip::bench {

void add_openblas_cases(Suite& /*suite*/) {}

}  // namespace gradflip::bench
