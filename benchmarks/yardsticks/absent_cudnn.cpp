#include "benchmarks/yardsticks/yardsticks.h"

namespace gradflip::bench {

void add_cudnn_cases(Suite& /*suite*/) {}

}  // namespace gradflip::bench
