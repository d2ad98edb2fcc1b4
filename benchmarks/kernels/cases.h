// One family of operations a file: each adds its cases, at the suite's batches, in the modes that
// the suite asks for.
#pragma once

#include <span>
#include <string>

#include "benchmarks/support/suite.h"

namespace gradflip::bench {

void add_conv_block_cases(Suite& suite);
void add_conv2d_cases(Suite& suite);
void add_gemm_cases(Suite& suite);
void add_grl_cases(Suite& suite);
void add_loss_cases(Suite& suite);
void add_pointwise_cases(Suite& suite);
void add_normalisation_cases(Suite& suite);
void add_sgd_cases(Suite& suite);
void add_optimizer_cases(Suite& suite);
void add_gather_cases(Suite& suite);
void add_augment_cases(Suite& suite);
// What only a GPU's training step runs, and a CPU in tests.
void add_sampled_conv_block_cases(Suite& suite);
void add_heads_cases(Suite& suite);
void add_training_update_cases(Suite& suite);

// Our own kernels' name in the column "library".
inline constexpr const char* kOurs = "gradflip";

// The batch of a check: small, as the references are plain loops in double.
inline constexpr std::int64_t kCheckBatch = 4;

}  // namespace gradflip::bench
