// Whether the launches of heads.h left what they should: "" or what differs. Stage by stage, as in
// the tests: each stage from what the one before it left.
#pragma once

#include <string>

#include "benchmarks/kernels/heads_arrays.h"

namespace gradflip::bench {

std::string check_heads_forward(const HeadsResult& got);
std::string check_heads_backward_data(const HeadsResult& got);
std::string check_heads_backward_weights(const HeadsResult& got);

}  // namespace gradflip::bench
