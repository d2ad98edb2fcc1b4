// Which instruction set the CPU kernels run with, to see what each is worth.
#pragma once

#include <string>

namespace gradflip::bench {

// From here on the vectorised CPU kernels use this one of their instruction sets; "best" is the
// widest that the machine has, their own choice. Throws UsageError, which lists what
// there is, for another name. Kernels of one instruction set's own files (bf16) are not affected.
void use_simd(const std::string& name);

}  // namespace gradflip::bench
