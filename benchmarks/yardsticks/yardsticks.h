// The same operations by the libraries that others use, where they were found at configure time:
// each adds its cases beside ours. A library that was not found adds none (absent_<library>.cpp).
// Yardsticks are linked here and by the cross-check tests, never by the programs.
#pragma once

#include "benchmarks/support/machine.h"
#include "benchmarks/support/suite.h"

namespace gradflip::bench {

void add_openblas_cases(Suite& suite);  // CPU
void add_onednn_cases(Suite& suite);    // CPU
void add_cublas_cases(Suite& suite);    // CUDA
void add_cudnn_cases(Suite& suite);     // CUDA

// A large square product may run faster than the loops of machine_cuda.cu, which issue mma.sync;
// where it does, that is the peak.
void raise_to_cublas_peaks(const Context& context, Peaks& peaks);

}  // namespace gradflip::bench
