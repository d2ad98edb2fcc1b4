#include "benchmarks/yardsticks/yardsticks.h"

namespace gradflip::bench {

void add_onednn_cases(Suite& /*suite*/) {}

}  // namespace gradflip::bench
